internal import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
public import PrefectJSON

// Every method of the API is one of these calls.
extension APIClient {
    /// Sends a request and reads its answer as a value: a record, a list of records, a number or a text.
    func read<Value: JSONConvertible>(
        _ method: HTTPMethod, _ path: [APIPathPart], query: [(name: String, value: String)] = [],
        body: JSONValue? = nil, effort: RetryPolicy.Effort
    ) async throws -> Value {
        try await send(APIRequest(method, path, query: query, body: body), effort: effort).value()
    }

    /// Sends a request whose answer has nothing to read.
    func perform(
        _ method: HTTPMethod, _ path: [APIPathPart], query: [(name: String, value: String)] = [],
        body: JSONValue? = nil, effort: RetryPolicy.Effort
    ) async throws {
        _ = try await send(APIRequest(method, path, query: query, body: body), effort: effort)
    }

    /// Sends a request that creates an object, and reads the id of the object from the answer.
    func createdID(
        _ method: HTTPMethod, _ path: [APIPathPart], body: JSONValue, effort: RetryPolicy.Effort
    ) async throws -> UUID {
        let created: CreatedObject = try await read(method, path, body: body, effort: effort)
        return created.id
    }

    /// Sends any request of the API, for routes without a method of their own.
    ///
    /// ```swift
    /// let answer = try await client.request("GET", "/flows/{id}", parameters: ["id": "\(id)"])
    /// ```
    ///
    /// - Parameters:
    ///   - method: The HTTP method, such as `GET`.
    ///   - path: The path after the API's URL. A part in braces is a placeholder.
    ///   - parameters: The values of the placeholders. Each is percent-encoded as one part.
    ///   - query: Names and values, not encoded.
    ///   - body: The JSON to send; `nil` sends no body.
    /// - Returns: The answer, if its status is a success.
    /// - Throws: ``APIError``, or `CancellationError` when the task is cancelled.
    public func request(
        _ method: String, _ path: String, parameters: [String: String] = [:],
        query: [(name: String, value: String)] = [], body: JSONValue? = nil, effort: RetryPolicy.Effort = .standard
    ) async throws -> APIAnswer {
        guard method.isToken else {
            throw APIError(invalid: "there is no method '\(method.explanation)'; use GET, POST, …", operation: path)
        }
        let parts = path.drop { $0 == "/" }.split(separator: "/", omittingEmptySubsequences: false)
        var encoded: [APIPathPart] = []
        for part in parts {
            guard part.hasPrefix("{"), part.hasSuffix("}") else {
                encoded.append(.name(String(part)))
                continue
            }
            guard let value = parameters[String(part.dropFirst().dropLast())] else {
                throw APIError(invalid: "the placeholder \(part) has no value in 'parameters'", operation: path)
            }
            encoded.append(.name(value))
        }
        return try await send(
            APIRequest(HTTPMethod(rawValue: method.uppercased()), encoded, query: query, body: body), effort: effort)
    }
}

/// The part of an answer that names a created object.
struct CreatedObject: APIRecord {
    var members: JSONObject

    init(unchecked members: JSONObject) { self.members = members }

    static func check(_ members: JSONObject) throws(JSONDecodingError) { try require("id", UUID.self, in: members) }

    var id: UUID { required("id") }
}

extension APIPathPart {
    /// The id of an object.
    static func uuid(_ id: UUID) -> APIPathPart { .id(id.text) }
}

extension JSONValue {
    /// The filters of the routes that select flow runs or deployments.
    static func selection(
        _ flows: FlowFilter?, _ flowRuns: FlowRunFilter?, _ taskRuns: TaskRunFilter?,
        _ deployments: DeploymentFilter?, _ workPools: WorkPoolFilter?, _ workQueues: WorkQueueFilter?
    ) -> JSONValue {
        [
            "flows": flows.orNull, "flow_runs": flowRuns.orNull, "task_runs": taskRuns.orNull,
            "deployments": deployments.orNull, "work_pools": workPools.orNull,
            "work_pool_queues": workQueues.orNull,
        ]
    }

    /// An object of the members that have a value, for bodies in which the API reads an absent member.
    static func given(_ members: (name: String, value: JSONValue?)...) -> JSONValue {
        var object: JSONObject = [:]
        for (name, value) in members { object[name] = value }
        return .object(object)
    }
}
