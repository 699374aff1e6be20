internal import BackendKit
internal import GoogleAccess
internal import HTTPTransport
internal import PrefectREST

/// The requests about custom jobs.
struct VertexAIRequests: Sendable {
    let project: String
    let region: String
    let universe: String
    let environment: [String: String]

    private var baseURL: String {
        GoogleURL.service(
            "aiplatform", host: "\(region)-aiplatform", universe: universe, environment: environment)
    }

    private var parent: String {
        let path: RequestPath = "/v1/projects/\(project, keeping: ":")/locations/\(region)/customJobs"
        return path.encoded
    }

    func create(_ body: JSONValue) -> GoogleRequest {
        var request = GoogleRequest(
            .post, baseURL, RequestPath(encoded: parent), body: body,
            operation: "Creating a custom job in region \(region) of project '\(project)'")
        request.isSentOnce = true
        return request
    }

    /// The jobs that a filter selects.
    func jobs(_ filter: String) -> GoogleRequest {
        GoogleRequest(
            .get, baseURL, RequestPath(encoded: parent), query: [("filter", filter), ("pageSize", "100")],
            operation: "Listing the custom jobs in region \(region) of project '\(project)'")
    }

    func job(_ name: VertexAIJobName) -> GoogleRequest {
        GoogleRequest(.get, baseURL, name.path, operation: "Reading the job '\(name)'")
    }

    func cancel(_ name: VertexAIJobName) -> GoogleRequest {
        GoogleRequest(
            .post, baseURL, RequestPath(encoded: "\(name.path.encoded):cancel"),
            operation: "Cancelling the job '\(name)'")
    }
}

/// The name of a custom job: `projects/NUMBER/locations/REGION/customJobs/ID`.
struct VertexAIJobName: Sendable, Hashable, CustomStringConvertible {
    let description: String
    let region: String
    let id: String

    init?(_ name: String) {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[0] == "projects", parts[2] == "locations", parts[4] == "customJobs",
            !parts.contains(""), (try? GoogleRegion.check(parts[3])) != nil
        else { return nil }
        description = name
        region = parts[3]
        id = parts[5]
    }

    var path: RequestPath {
        RequestPath(parts: ["v1"] + description.split(separator: "/").map(String.init))
    }
}
