internal import BackendKit
internal import GoogleAccess
internal import HTTPTransport
internal import PrefectREST

/// The requests of both versions of Cloud Run's API.
struct CloudRunRequests: Sendable {
    let version: CloudRunVersion
    let project: String
    let region: String
    let universe: String
    let environment: [String: String]

    private var baseURL: String {
        GoogleURL.service(
            "run", host: version == .v1 ? "\(region)-run" : "run", universe: universe, environment: environment)
    }

    private func path(_ collection: String, _ name: String? = nil, verb: String = "") -> RequestPath {
        let parent: RequestPath =
            version == .v1
            ? "/apis/run.googleapis.com/v1/namespaces/\(project, keeping: ":")"
            : "/v2/projects/\(project, keeping: ":")/locations/\(region)"
        guard let name else { return RequestPath(encoded: "\(parent.encoded)/\(collection)") }
        let last: RequestPath = "/\(name)"
        return RequestPath(encoded: "\(parent.encoded)/\(collection)\(last.encoded)\(verb)")
    }

    /// The most jobs that one page of a list is to have.
    private static let pageSize = "1000"

    func create(_ body: JSONValue, name: String) -> GoogleRequest {
        GoogleRequest(
            .post, baseURL, path("jobs"), query: version == .v1 ? [] : [("jobId", name)], body: body,
            operation: "Creating the job '\(name)' in region \(region) of project '\(project)'")
    }

    func job(_ name: String) -> GoogleRequest {
        GoogleRequest(.get, baseURL, path("jobs", name), operation: "Reading the job '\(name)'")
    }

    func run(_ name: String) -> GoogleRequest {
        var request = GoogleRequest(
            .post, baseURL, path("jobs", name, verb: ":run"), operation: "Running the job '\(name)'")
        request.isSentOnce = true
        return request
    }

    func delete(_ name: String) -> GoogleRequest {
        GoogleRequest(.delete, baseURL, path("jobs", name), operation: "Deleting the job '\(name)'")
    }

    /// The jobs of the region. Only version 1 can select them by a label, or by the existence of one.
    func jobs(label: String? = nil, value: String? = nil) -> GoogleRequest {
        var query: [(name: String, value: String)]
        switch version {
        case .v1:
            query = [("limit", Self.pageSize)]
            if let label { query.append(("labelSelector", value.map { "\(label)=\($0)" } ?? label)) }
        case .v2: query = [("pageSize", Self.pageSize)]
        }
        return GoogleRequest(
            .get, baseURL, path("jobs"), query: query,
            operation: "Listing the jobs in region \(region) of project '\(project)'")
    }

    /// The executions of a job, for version 2.
    func executions(of job: String) -> GoogleRequest {
        let parent = path("jobs", job).encoded
        return GoogleRequest(
            .get, baseURL, RequestPath(encoded: "\(parent)/executions"),
            operation: "Listing the executions of the job '\(job)'")
    }

    func execution(_ name: String, of job: String) -> GoogleRequest {
        GoogleRequest(.get, baseURL, executionPath(name, of: job), operation: "Reading the execution '\(name)'")
    }

    func deleteExecution(_ name: String, of job: String) -> GoogleRequest {
        GoogleRequest(.delete, baseURL, executionPath(name, of: job), operation: "Deleting the execution '\(name)'")
    }

    /// The tasks of an execution, which have the exit codes.
    func tasks(of execution: String, of job: String) -> GoogleRequest {
        let operation = "Reading the tasks of the execution '\(execution)'"
        switch version {
        case .v1:
            return GoogleRequest(
                .get, baseURL, path("tasks"), query: [("labelSelector", "run.googleapis.com/execution=\(execution)")],
                operation: operation)
        case .v2:
            return GoogleRequest(
                .get, baseURL, RequestPath(encoded: "\(executionPath(execution, of: job).encoded)/tasks"),
                operation: operation)
        }
    }

    private func executionPath(_ name: String, of job: String) -> RequestPath {
        guard version == .v2 else { return path("executions", name) }
        let last: RequestPath = "/executions/\(name)"
        return RequestPath(encoded: path("jobs", job).encoded + last.encoded)
    }

    /// The page of Google's console that shows a job.
    func console(_ job: String) -> String {
        let path: RequestPath = "/run/jobs/details/\(region)/\(job)"
        return "https://console.cloud.google.com\(path.encoded)?project=\(PercentEncoding.encodeInQuery(project))"
    }
}
