import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON
import WorkerKit

/// A request as the command line gives it.
struct APIRequestLine: Sendable {
    let method: String
    /// The path with a placeholder for each part, so that a part may have any characters.
    private let path: String
    private let parts: [String: String]
    var query: [(name: String, value: String)]
    var body: JSONValue?

    /// Takes a percent-encoded path, with a query if there is one.
    init(method: String, path: String, body: JSONValue?) throws {
        guard path.hasPrefix("/"), let components = URLComponents(string: path), components.host == nil else {
            throw Refusal("'\(path)' should be a path after the API's URL, such as /flow_runs/filter")
        }
        var parts: [String: String] = [:]
        let texts = components.percentEncodedPath.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (index, text) in texts.enumerated() {
            parts["\(index)"] = URLComponents(string: "/\(text)").map { String($0.path.dropFirst()) } ?? String(text)
        }
        self.method = method
        self.path = texts.indices.map { "/{\($0)}" }.joined()
        self.parts = parts
        query = (components.queryItems ?? []).map { ($0.name, $0.value ?? "") }
        self.body = body
    }

    /// Sends the request.
    func send(with client: APIClient) async throws -> APIAnswer {
        try await client.request(method, path, parameters: parts, query: query, body: body)
    }

    /// The value of a member of the body, or of the query of a request without one.
    func number(_ name: String) -> Int? {
        method == "GET" ? query.first { $0.name == name }.flatMap { Int($0.value) } : body?[name]?.intValue
    }

    /// The request with another value of a member.
    func with(_ name: String, _ value: Int) -> APIRequestLine {
        var request = self
        if method == "GET" {
            request.query = query.filter { $0.name != name } + [(name, "\(value)")]
        } else {
            var members = body?.objectValue ?? [:]
            members[name] = .int(value)
            request.body = .object(members)
        }
        return request
    }
}
