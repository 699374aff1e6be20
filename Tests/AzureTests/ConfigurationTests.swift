import BackendKit
import BackendKitTesting
import JobTemplates
import OrderedCollections
import PrefectJSON
import Testing

@testable import ContainerInstancesBackend

/// Makes jobs of the default template.
enum Jobs {
    static func specification(
        _ variables: JSONValue = [:], template: BaseJobTemplate? = nil, flowName: String? = "My Flow",
        flowRunID: String = "6f9619ff-8b86-4011-b42d-00c04fc96401",
        settings: [(name: String, value: String)] = []
    ) async throws -> ContainerInstancesSpecification {
        var job: JSONValue = ["resource_group_name": "rg", "subscription_id": "sub"]
        for (name, value) in variables.objectValue ?? [:] { job[name] = value }
        let renderer = JobRenderer(
            template: template ?? ContainerInstancesService.defaultTemplate(), environment: [:], references: NoBlocks())
        let service = try ContainerInstancesService(host: BackendHost(environment: [:]))
        return try service.specification(
            rendered: try await renderer.render(jobVariables: job),
            for: RunContext(
                flowRunID: flowRunID, flowRunName: "otter", claimID: "claim-1", deploymentID: nil,
                reporter: SilentReporter()),
            preparing: PreparationContext(
                flowRun: ["id": .string(flowRunID), "name": "otter"],
                flow: flowName.map { ["id": "f", "name": .string($0)] }, settingsEnvironment: settings))
    }

    private struct NoBlocks: TemplateReferences {
        func blockDocument(id: String) throws -> JSONValue { throw ReferenceNotFound() }
        func blockDocument(typeSlug: String, name: String) throws -> JSONValue { throw ReferenceNotFound() }
        func variable(named name: String) -> JSONValue? { nil }
    }
}

@Suite("Configurations of container groups")
struct ConfigurationTests {
    private func group(_ specification: ContainerInstancesSpecification) throws -> JSONValue {
        let put = specification.requests(keepsOthers: false).first
        return try #require(put?["body"]?["properties"]?["template"]?["resources"]?[0])
    }

    @Test(
        "bad input is refused with one line that names the job variable",
        arguments: [
            (["resource_group_name": nil], "resource_group_name"), (["subscription_id": nil], "subscription_id"),
            (["cpu": "many"], "cpu"), (["cpu": 0], "cpu"), (["memory": -1], "memory"),
            (["gpu_count": 1.5], "gpu_count"),
            (["identities": "one"], "identities"), (["subnet_ids": [1]], "subnet_ids"),
            (["image": nil], "image"), (["image_registry": [:]], "image_registry"),
            (["image_registry": ["registry_url": "r", "username": "u"]], "image_registry"),
            (["aci_credentials": ["client_id": "c"]], "aci_credentials"), (["aci_credentials": "x"], "aci_credentials"),
            (["stream_output": "perhaps"], "stream_output"), (["command": "'"], "command"), (["env": 7], "env"),
            (["task_start_timeout_seconds": "soon"], "task_start_timeout_seconds"),
        ] as [(JSONValue, String)])
    func refusals(_ variables: JSONValue, _ name: String) async throws {
        let error = await failure { try await Jobs.specification(variables) }
        let text = "\(try #require(error))"
        #expect(text.contains("\(name)") && !text.contains("\n"), "\(text)")
    }

    @Test(
        "a template without a container is refused",
        arguments: [
            nil, [:], ["resources": []], ["resources": [["properties": [:]]]],
            ["resources": [["properties": ["containers": []]]]],
            ["resources": [["properties": ["containers": [["properties": [:]]]], "tags": "x"]]],
        ] as [JSONValue])
    func templates(_ template: JSONValue) async throws {
        var fields = ContainerInstancesService.defaultTemplate().jobConfiguration
        fields["arm_template"] = template
        let changed = BaseJobTemplate(
            jobConfiguration: fields, variables: ContainerInstancesService.defaultTemplate().variables)
        let error = await failure { try await Jobs.specification(template: changed) }
        #expect("\(try #require(error))".contains("arm_template"))
    }

    @Test("a template of an earlier version has the defaults of the fields that it lacks")
    func earlierTemplate() async throws {
        var fields = ContainerInstancesService.defaultTemplate().jobConfiguration
        for field in ["keep_container_group", "entrypoint", "stream_output"] { fields[field] = nil }
        let earlier = BaseJobTemplate(
            jobConfiguration: fields, variables: ContainerInstancesService.defaultTemplate().variables)
        let specification = try await Jobs.specification(template: earlier)
        #expect(!specification.isKept && !specification.streamsOutput)
        #expect(specification.prepared?.fields["keep_container_group"] == false)
        let container = try group(specification)["properties"]?["containers"]?[0]?["properties"]
        #expect(container?["command"]?[0] == "/opt/prefect/entrypoint.sh")
    }

    @Test("GPUs reach the container, and labels become tags in a form that Azure accepts")
    func additions() async throws {
        let specification = try await Jobs.specification([
            "gpu_count": 2, "gpu_sku": "V100",
            "labels": ["team/a": "x", "Azure-thing": "y", "long": .string(String(repeating: "z", count: 300))],
        ])
        let group = try group(specification)
        let requests = group["properties"]?["containers"]?[0]?["properties"]?["resources"]?["requests"]
        #expect(requests?["gpu"] == ["count": 2, "sku": "V100"])
        #expect(group["tags"]?["team.a"] == "x" && group["tags"]?["label-Azure-thing"] == "y")
        #expect(group["tags"]?["long"]?.stringValue?.count == 256)
        let many = OrderedDictionary(uniqueKeysWithValues: (0..<60).map { ("label\($0)", JSONValue.string("v")) })
        let error = await failure { try await Jobs.specification(["labels": .object(many)]) }
        #expect("\(try #require(error))".contains("Azure accepts 48"))
    }

    @Test("texts in brackets reach the container as they are")
    func literals() async throws {
        let specification = try await Jobs.specification(
            ["env": ["A": "[1]", "B": "[[1]", "C": "x[1]"], "command": "sh -c '[ -n x ]'", "labels": ["l": "[2]"]],
            settings: [("PREFECT_API_KEY", "[key]")])
        let put = try #require(specification.requests(keepsOthers: false).first?["body"]?["properties"])
        let group = try group(specification)
        let container = group["properties"]?["containers"]?[0]?["properties"]
        func resolved(_ value: JSONValue?) -> String? {
            guard let text = value?.stringValue, text.hasPrefix("[parameters('") else { return value?.stringValue }
            let name = String(text.dropFirst("[parameters('".count).dropLast("')]".count))
            #expect(put["template"]?["parameters"]?[name] != nil)
            return put["parameters"]?[name]?["value"]?.stringValue
        }
        func variable(_ name: String) -> JSONValue? {
            container?["environmentVariables"]?.arrayValue?.first { $0["name"]?.stringValue == name }
        }
        #expect(resolved(variable("A")?["value"]) == "[1]")
        #expect(variable("A")?["value"] != "[1]")
        #expect(variable("B")?["value"] == "[[1]" && variable("C")?["value"] == "x[1]")
        #expect(resolved(container?["command"]?[3]) == "[ -n x ]")
        #expect(resolved(group["tags"]?["l"]) == "[2]")
        let key = try #require(variable("PREFECT_API_KEY"))
        #expect(resolved(key["secureValue"]) == "[key]" && key["value"] == nil)
        #expect(put["parameters"]?.objectValue?.count == 5)
        let shown = try #require(specification.description["requests"]?[0]?["body"]?["properties"]?["parameters"])
        #expect(!shown.serialized().contains("key]"))
    }

    @Test(
        "names follow from the flow and the run, and always begin with a letter or digit",
        arguments: [("My Flow_ñ!", "my-flow-n"), ("", "flow"), ("!!!", "flow"), ("-", "flow")])
    func names(_ flow: String, _ prefix: String) {
        let run = "6f9619ff-8b86-4011-b42d-00c04fc96401"
        let name = GroupTask.groupName(flowName: flow, flowRunID: run)
        #expect(name == "\(prefix)-\(run)")
        let long = GroupTask.groupName(flowName: String(repeating: "long name ", count: 9), flowRunID: run)
        #expect("prefect-\(long)".count <= 64)
    }

    @Test("job variables without effect are named")
    func ignored() async throws {
        let specification = try await Jobs.specification([
            "name": "n", "gpu_count": 1, "task_start_timeout_seconds": 10, "task_watch_poll_interval": 5.0,
        ])
        #expect(
            specification.description["ignored_job_variables"] == ["name", "gpu_count", "task_start_timeout_seconds"])
        #expect(try await Jobs.specification().description["ignored_job_variables"] == nil)
        let methods = try await Jobs.specification().description["requests"]?.arrayValue?.compactMap {
            $0["method"]?.stringValue
        }
        #expect(methods == ["PUT", "GET", "POST", "DELETE"])
    }

    @Test("a job without a configuration can be watched and stopped")
    func bare() throws {
        let service = try ContainerInstancesService(host: BackendHost(environment: [:]))
        let run = RunContext(
            flowRunID: "r", flowRunName: "otter", claimID: "c", deploymentID: nil, reporter: SilentReporter())
        let specification = try service.specification(rendered: [:], for: run, preparing: nil)
        #expect(specification.place.group == nil && specification.group == nil)
    }

    @Test("permissions are compared with their patterns")
    func permissions() {
        let granted = GrantedActions([
            ["actions": ["Microsoft.ContainerInstance/*", "*/read"], "notActions": ["*/delete"]],
            ["actions": ["Microsoft.Resources/deployments/*/action"]],
        ])
        for (action, isPermitted) in [
            ("microsoft.containerinstance/containerGroups/write", true),
            ("Microsoft.ContainerInstance/containerGroups/delete", false),
            ("Microsoft.Resources/deployments/read", true), ("Microsoft.Resources/deployments/write", false),
            ("Microsoft.Resources/deployments/cancel/action", true),
        ] {
            #expect(granted.permits(action) == isPermitted, "\(action)")
        }
    }
}
