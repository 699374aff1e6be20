internal import FoundationEssentials
package import JobTemplates
internal import OrderedCollections
package import PrefectClient
package import PrefectJSON

/// The source of the objects from which `prefect-worker render` makes a job configuration.
package struct RenderSource: Sendable {
    /// The objects.
    package let subject: JobSubject
    /// The source of blocks and variables.
    package let references: any TemplateReferences

    /// Reads the API's own objects from one JSON document: `work_pool` and `flow_run`, and optionally `deployment`,
    /// `flow`, `worker_name`, `worker_id`. There is no API to read blocks and variables from.
    package init(offline input: JSONValue) throws {
        do {
            let fields = try JSONFields(input)
            subject = JobSubject(
                pool: try Self.record(fields.value("work_pool"), at: "work_pool", with: ["name", "type"]),
                deployment: try fields.value("deployment").map {
                    try Self.record($0, at: "deployment", with: ["name"])
                },
                flow: try fields.value("flow").map { try Self.record($0, at: "flow", with: ["name"]) },
                flowRun: KnownRun(try Self.record(fields.value("flow_run"), at: "flow_run", with: ["id"])),
                workerName: fields.optionalString("worker_name"), workerID: fields.optionalString("worker_id"))
        } catch {
            throw RenderSourceError(description: "The input is invalid: \(error)")
        }
        references = OfflineReferences()
    }

    /// Reads the objects from the API: a pool with a deployment or a flow run of it. The next run of a deployment is an
    /// example.
    package init(api: APIClient, pool: String?, deployment: String?, flowRun: String?) async throws {
        references = APITemplateReferences(api: api)
        let run: KnownRun?
        if let flowRun { run = KnownRun(try await api.readFlowRun(id: UUID(id: flowRun))) } else { run = nil }
        let deployed: Deployment?
        if let deployment {
            let parts = deployment.split(separator: "/", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw RenderSourceError(
                    description: "'\(deployment)' should be FLOW/NAME: a flow's and a deployment's name")
            }
            deployed = try await api.readDeployment(named: parts[1], ofFlow: parts[0])
        } else if let id = run?.deploymentID {
            deployed = try await api.readDeployment(id: UUID(id: id))
        } else {
            deployed = nil
        }
        guard let poolName = pool ?? deployed?.workPoolName ?? run?.record.workPoolName else {
            throw RenderSourceError(
                description: "Neither the deployment nor the flow run names a work pool: use --pool")
        }
        guard let flowID = run?.record.flowID ?? deployed?.flowID else {
            throw RenderSourceError(description: "Name a deployment or a flow run")
        }
        let flow = try await api.readFlow(id: flowID)
        subject = JobSubject(
            pool: try await api.readWorkPool(named: poolName), deployment: deployed, flow: flow,
            flowRun: try run ?? Self.exampleRun(of: deployed, flow), workerName: nil, workerID: nil)
    }

    /// A record of a file, which may have been written by hand: only the members that rendering needs must exist.
    private static func record<Record: APIRecord>(
        _ value: JSONValue?, at path: String, with required: [String]
    ) throws(JSONDecodingError) -> Record {
        let fields = try JSONFields(value ?? .null, path: path)
        for name in required { _ = try fields.string(name) }
        return Record(unchecked: fields.members)
    }

    /// A run as the API would create it, with a name and an id that mark it as an example.
    private static func exampleRun(of deployment: Deployment?, _ flow: Flow) throws -> KnownRun {
        let json: JSONValue = [
            "id": "00000000-0000-0000-0000-000000000000", "name": "example-run", "flow_id": flow.id.jsonValue,
            "deployment_id": JSONValue(deployment?.id.text), "tags": [], "job_variables": [:],
            "parameters": .object(deployment?.parameters ?? [:]), "state_type": "SCHEDULED", "state_name": "Scheduled",
        ]
        return KnownRun(try FlowRun(jsonValue: json))
    }
}

/// Why rendering is not possible, in one line.
package struct RenderSourceError: Error, Hashable, CustomStringConvertible {
    package let description: String
}

/// References without an API to look them up.
private struct OfflineReferences: TemplateReferences {
    private static let refusal = RenderSourceError(
        description: "blocks and variables cannot be looked up offline; render with --deployment or --flow-run instead")

    func blockDocument(id: String) async throws -> JSONValue { throw Self.refusal }
    func blockDocument(typeSlug: String, name: String) async throws -> JSONValue { throw Self.refusal }
    func variable(named name: String) async throws -> JSONValue? { throw Self.refusal }
}
