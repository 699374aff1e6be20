internal import HTTPTransport
internal import OrderedCollections
public import PrefectJSON

/// The members of a deployment that a worker needs. Mirrors the API's `DeploymentResponse`.
public struct WorkerDeployment: Sendable, Hashable, JSONDecodable {
    /// The deployment's id.
    public let id: String
    /// The deployment's name.
    public let name: String
    /// The id of the flow it deploys.
    public let flowID: String
    /// The deployment's tags.
    public let tags: [String]
    /// Job variables for all of its runs.
    public let jobVariables: JSONValue
    /// The work pool that its runs go to.
    public var workPoolName: String? { json["work_pool_name"]?.stringValue }
    /// Whether the deployment has an entrypoint, which names the flow's code.
    package var hasFlowCode: Bool { json["entrypoint"]?.stringValue != nil }
    /// The deployment as the API sent it, without its parameters' schema.
    public let json: JSONValue

    package init(json fields: JSONFields) throws(JSONDecodingError) {
        id = try fields.string("id")
        name = try fields.string("name")
        flowID = try fields.string("flow_id")
        tags = fields.strings("tags")
        jobVariables = fields.value("job_variables") ?? [:]
        var members = fields.members
        members["parameter_openapi_schema"] = nil
        json = .object(members)
    }
}

/// A flow. Mirrors the API's `Flow`.
public struct WorkerFlow: Sendable, Hashable, JSONDecodable {
    /// The flow's id.
    public let id: String
    /// The flow's name.
    public let name: String
    /// The flow's tags.
    public let tags: [String]
    /// The flow as the API sent it.
    public let json: JSONValue

    package init(json fields: JSONFields) throws(JSONDecodingError) {
        id = try fields.string("id")
        name = try fields.string("name")
        tags = fields.strings("tags")
        json = .object(fields.members)
    }
}

extension APIClient {
    /// Reads a deployment: `GET /deployments/{id}`. The API answers 404 when the deployment was deleted.
    public func readDeployment(id: String, effort: RetryPolicy.Effort = .standard) async throws -> WorkerDeployment {
        try await send(APIRequest(.get, ["deployments", .id(id)]), effort: effort).decode()
    }

    /// Reads a deployment by its name and its flow's name: `GET /deployments/name/{flow}/{deployment}`.
    public func readDeployment(named name: String, ofFlow flow: String) async throws -> WorkerDeployment {
        try await send(APIRequest(.get, ["deployments", "name", .name(flow), .name(name)])).decode()
    }

    /// Reads all deployments of a work pool: `POST /deployments/filter`.
    public func readDeployments(
        ofPool pool: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> [WorkerDeployment] {
        var found: [WorkerDeployment] = []
        // The route returns at most 200 rows.
        while true {
            let body: JSONValue = [
                "work_pools": ["name": ["any_": [.string(pool)]]], "limit": 200, "offset": .int(found.count),
                "sort": "CREATED_DESC",
            ]
            let rows = try await json(APIRequest(.post, ["deployments", "filter"], body: body), effort: effort)
                .arrayValue
            for row in rows ?? [] { found.append(try WorkerDeployment(json: JSONFields(row))) }
            guard let rows, rows.count == 200 else { return found }
        }
    }

    /// Reads a flow: `GET /flows/{id}`.
    public func readFlow(id: String, effort: RetryPolicy.Effort = .standard) async throws -> WorkerFlow {
        try await send(APIRequest(.get, ["flows", .id(id)]), effort: effort).decode()
    }
}
