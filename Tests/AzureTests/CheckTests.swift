import BackendKit
import JobTemplates
import OrderedCollections
import PrefectClient
import PrefectJSON
import Testing

@testable import ContainerInstancesBackend

@Suite("Checks of Azure Container Instances", .timeLimit(.minutes(1)))
struct CheckTests {
    private struct NoBlocks: TemplateReferences {
        func blockDocument(id: String) throws -> JSONValue { throw ReferenceNotFound() }
        func blockDocument(typeSlug: String, name: String) throws -> JSONValue { throw ReferenceNotFound() }
        func variable(named name: String) -> JSONValue? { nil }
    }

    private func check(
        _ azure: FakeAzure, _ fields: [String] = ["resource_group_name", "subscription_id"],
        environment: [String: String]? = nil
    ) async throws -> BackendReport {
        var configuration = ContainerInstancesService.defaultTemplate().jobConfiguration
        for field in fields { configuration[field] = field == "subscription_id" ? "sub" : "rg" }
        let template = BaseJobTemplate(
            jobConfiguration: configuration, variables: ContainerInstancesService.defaultTemplate().variables)
        let pool = PoolJobs(
            pool: "p", template: template, environment: [:], references: NoBlocks(), readDeployments: { [] })
        let service = try ContainerInstancesService(host: BackendHost(environment: environment ?? azure.environment()))
        return await service.check([pool])
    }

    /// Answers for the resource group and the permissions.
    private func azure(_ group: FakeAzure.Reply? = nil, actions: JSONValue = ["*"]) throws -> FakeAzure {
        try FakeAzure { request in
            if request.path.hasSuffix("/resourcegroups/rg") {
                return group ?? .init(body: ["name": "rg", "location": "westeurope"])
            }
            guard request.path.hasSuffix("/permissions") else { return nil }
            return .init(body: ["value": [["actions": actions, "notActions": []]]])
        }
    }

    @Test("identity, resource group, permissions, leftovers and image are named, and nothing is created")
    func good() async throws {
        let azure = try azure()
        azure.change { state in
            state.groups["a"] = FakeAzure.group("a", "Running", tags: ["prefect-worker-owner": "x"])
            state.groups["b"] = FakeAzure.group("b", "Running")
        }
        let report = try await check(azure)
        #expect(report.isUsable)
        let text = report.findings.map { "\($0.subject): \($0.detail)" }.joined(separator: "\n")
        for part in [
            "application of the environment", "'rg' in westeurope", "all 10 granted", "2 in 'rg', 1 of them", "image",
        ] {
            #expect(text.contains(part), "\(text)")
        }
        #expect(azure.requests.allSatisfy { $0.method == "GET" || $0.path.hasSuffix("/token") })
    }

    @Test("a missing permission is named with its consequence")
    func missingPermission() async throws {
        let report = try await check(try azure(actions: ["Microsoft.Resources/*", "*/read"]))
        let missing = report.findings.filter { !$0.isGood }
        #expect(missing.count == 3)
        #expect(report.problem?.detail.contains("'Microsoft.ContainerInstance/containerGroups/write'") == true)
        #expect(missing.contains { $0.detail.contains("containerGroups/delete") && $0.isPartial })
    }

    @Test("an unknown resource group, refused credentials and a template without a place each have their line")
    func problems() async throws {
        let unknown = try await check(try azure(.error("404 Not Found", "ResourceGroupNotFound", "no")))
        #expect(unknown.problem?.detail.contains("resource_group_name") == true)
        let azure = try azure()
        var environment = azure.environment()
        environment["AZURE_TENANT_ID"] = nil
        environment["AZURE_TOKEN_CREDENTIALS"] = "EnvironmentCredential"
        let nobody = try await check(azure, environment: environment)
        #expect(nobody.problem?.subject == "identity" && nobody.problem?.detail.contains("AZURE_TENANT_ID") == true)
        let placeless = try await check(azure, [])
        #expect(placeless.isUsable && placeless.findings.contains { $0.detail.contains("each flow run has to") })
        // Without the permission to read the group, the others are still checked.
        let hidden = try await check(
            try self.azure(.error("403 Forbidden", "AuthorizationFailed", "perform action 'x'")))
        #expect(hidden.isUsable)
    }
}
