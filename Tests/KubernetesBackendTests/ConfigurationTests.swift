import BackendKit
import Foundation
import JobTemplates
import OrderedCollections
import PrefectClient
import PrefectJSON
import Testing

@testable import KubernetesBackend

@Suite("Job configurations")
struct ConfigurationTests {
    /// The settings in the environment of the recordings.
    private static let settings: [(name: String, value: String)] = [
        ("PREFECT_HOME", "/home/worker/.prefect"), ("PREFECT_API_URL", "http://127.0.0.1:4200/api"),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", #"{"X-A": "b"}"#), ("PREFECT_LOGGING_LEVEL", "INFO"),
        ("PREFECT_SERVER_EPHEMERAL_ENABLED", "True"), ("PREFECT_WORKER_QUERY_SECONDS", "5.0"),
    ]

    private static let goldens: [JSONValue] = {
        guard let url = Bundle.module.url(forResource: "Resources/prepared_kubernetes", withExtension: "json"),
            let data = try? Data(contentsOf: url), let json = try? JSONValue(parsing: [UInt8](data))
        else { return [] }
        return json.arrayValue ?? []
    }()

    private static func prepare(_ golden: JSONValue) async throws -> KubernetesConfiguration {
        let input = try #require(golden["input"])
        let pool = try #require(input["work_pool"])
        let deployment = input["deployment"].flatMap { $0.isNull ? nil : $0 }
        let variables = try JobVariables(
            deployment: deployment?["job_variables"], flowRun: input["flow_run"]?["job_variables"])
        let rendered = try await JobRenderer(
            template: BaseJobTemplate(json: #require(pool["base_job_template"])), environment: [:],
            references: NoReferences()
        ).render(jobVariables: variables.json)
        return try KubernetesConfiguration(rendered: rendered).prepared(
            for: PreparationContext(
                flowRun: #require(input["flow_run"]), flow: input["flow"], deployment: deployment,
                workPool: .init(id: #require(pool["id"]?.stringValue), name: #require(pool["name"]?.stringValue)),
                workerName: input["worker_name"]?.stringValue, workerID: input["worker_id"]?.stringValue,
                settingsEnvironment: settings))
    }

    @Test("prepared configurations are equal to those of the Python worker")
    func goldens() async throws {
        let goldens = Self.goldens.filter { $0["expected"] != nil }
        #expect(goldens.count == 3)
        for golden in goldens {
            let prepared = try await Self.prepare(golden)
            let expected = try #require(golden["expected"])
            for (key, value) in expected.objectValue ?? [:] {
                let own = prepared.json[key] ?? .null
                #expect(own.isEquivalent(to: value), "\(golden["label"] ?? nil): \(key) is \(own.serialized())")
            }
            #expect(prepared.json.objectValue?.count == expected.objectValue?.count)
            let variables = prepared.json["env"]?.objectValue?.keys.map { $0 } ?? []
            #expect(variables == golden["attributes_order"]?["env"]?.arrayValue?.compactMap(\.stringValue))
        }
    }

    @Test("the error of an invalid manifest names the paths of missing and of wrong values")
    func manifestPaths() async throws {
        for golden in Self.goldens where golden["error"] != nil {
            let message = golden["message"]?.stringValue ?? ""
            let error = await #expect(throws: InfrastructureError.self) { try await Self.prepare(golden) }
            let said = try #require(error?.message.split(separator: ";").first.map(String.init))
            #expect(message.contains(said), "\(said) is not in \(message)")
        }
        let sidecarFirst = manifest { $0["containers"] = [["name": "sidecar"], ["name": "prefect-job"]] }
        #expect(
            refusal(of: sidecarFirst)?.contains("/spec/template/spec/containers/0/name must have value 'prefect-job'")
                == true)
        let parallel = manifest {
            $0["parallelism"] = 2
            $0["restartPolicy"] = "OnFailure"
        }
        let refused = refusal(of: parallel) ?? ""
        #expect(refused.contains("/spec/template/spec/parallelism must have value 1, "))
        #expect(refused.contains("/spec/template/spec/restartPolicy must have value 'Never'"))
        #expect(refusal(of: ["apiVersion": "batch/v1", "kind": "Job"])?.contains("following paths: /spec;") == true)
        #expect(refusal(of: manifest { $0["containers"] = [] })?.contains("/spec/template/spec/containers/0") == true)
        #expect(refusal(of: "text")?.contains("job_manifest") == true)
        #expect(refusal(of: manifest { $0["containers"] = [["name": "prefect-job"], ["name": "sidecar"]] }) == nil)
    }

    /// A complete manifest with a change to the pod's specification.
    private func manifest(_ change: (inout JSONValue) -> Void) -> JSONValue {
        var spec: JSONValue = [
            "parallelism": 1, "completions": 1, "restartPolicy": "Never", "containers": [["name": "prefect-job"]],
        ]
        change(&spec)
        return ["apiVersion": "batch/v1", "kind": "Job", "spec": ["template": ["spec": spec]]]
    }

    private func refusal(of manifest: JSONValue) -> String? {
        do {
            _ = try KubernetesConfiguration(rendered: ["job_manifest": manifest])
            return nil
        } catch {
            return error.message
        }
    }

    private func prepared(
        _ rendered: JSONValue, backoffLimit: JSONValue? = 0
    ) throws -> KubernetesConfiguration {
        var job = manifest { _ in }
        if let env = rendered["env"] {
            var container = job["spec"]?["template"]?["spec"]?["containers"]?[0] ?? [:]
            container["env"] = env
            job = manifest { $0["containers"] = [container] }
        }
        var spec = job["spec"] ?? [:]
        spec["backoffLimit"] = backoffLimit
        job["spec"] = spec
        var rendered = rendered
        rendered["job_manifest"] = job
        return try KubernetesConfiguration(rendered: rendered).prepared(
            for: PreparationContext(flowRun: ["id": "run-1", "name": "brave otter"], flow: ["name": "f"]))
    }

    private func environment(_ configuration: KubernetesConfiguration) -> [JSONValue] {
        configuration.manifest["spec"]?["template"]?["spec"]?["containers"]?[0]?["env"]?.arrayValue ?? []
    }

    @Test("the environment can be a list, with values from other objects of the cluster")
    func listEnvironment() throws {
        let secret: JSONValue = ["name": "TOKEN", "valueFrom": ["secretKeyRef": ["name": "s", "key": "k"]]]
        let configuration = try prepared(["env": [["name": "A", "value": "1"], secret]])
        let entries = environment(configuration)
        #expect(entries.count { $0["name"] == "A" } == 1)
        #expect(entries.contains(["name": "A", "value": "1"]))
        #expect(entries.contains(secret))
        #expect(configuration.env.arrayValue != nil)
        #expect(entries.last?["value"] == "reschedule")
    }

    @Test(
        "the SIGTERM behaviour of a flow depends on whether Kubernetes retries its job",
        arguments: [
            (0, nil, "reschedule"), (0, "crash", "crash"), (0, "", "reschedule"), (3, nil, "relinquish"),
            (3, "crash", "relinquish"), (nil, nil, "relinquish"),
        ] as [(Int?, String?, String)])
    func termination(backoffLimit: Int?, own: String?, expected: String) throws {
        let variable = "PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"
        let env: JSONValue = own.map { [variable: .string($0)] } ?? [:]
        let configuration = try prepared(["env": env], backoffLimit: backoffLimit.map { .int($0) })
        let found = environment(configuration).filter { $0["name"]?.stringValue == variable }
        #expect(found.map { $0["value"]?.stringValue } == [expected])
    }

    @Test("the name of a job begins with the manifest's prefix or with the run's name")
    func namePrefix() throws {
        func prefix(_ own: JSONValue?, name: JSONValue = nil) throws -> String? {
            var job = manifest { _ in }
            job["metadata"] = own.map { ["generateName": $0] } ?? [:]
            return try KubernetesConfiguration(rendered: ["job_manifest": job, "name": name]).prepared(
                for: PreparationContext(flowRun: ["id": "run-1", "name": "Brave Otter!"], flow: nil)
            ).manifest["metadata"]?["generateName"]?.stringValue
        }
        #expect(try prefix(nil) == "brave-otter-")
        #expect(try prefix("-") == "brave-otter-")
        #expect(try prefix("None-") == "brave-otter-")
        #expect(try prefix("{{ name }}-") == "brave-otter-")
        #expect(try prefix("mine-") == "mine-")
        #expect(try prefix("-", name: "???") == "prefect-job-")
        #expect(throws: InfrastructureError.self) { try prefix(7) }
    }

    @Test("a command that is a text is split into words, and a list is kept")
    func command() throws {
        func arguments(_ own: JSONValue?) throws -> (JSONValue?, Bool) {
            let job = manifest { $0["containers"] = [["name": "prefect-job", "args": own ?? nil]] }
            let prepared = try KubernetesConfiguration(rendered: ["job_manifest": job]).prepared(
                for: PreparationContext(flowRun: ["id": "run-1", "name": "otter"], flow: nil))
            return (
                prepared.manifest["spec"]?["template"]?["spec"]?["containers"]?[0]?["args"], prepared.runsFlowEngine
            )
        }
        #expect(try arguments(nil) == (["prefect", "flow-run", "execute"], true))
        #expect(try arguments("sh -c 'exit 7'") == (["sh", "-c", "exit 7"], false))
        #expect(try arguments(["a b", "c"]) == (["a b", "c"], false))
        #expect(throws: InfrastructureError.self) { try arguments(7) }
        #expect(throws: InfrastructureError.self) { try arguments("sh -c 'exit") }
    }

    @Test("secrets are kept out of the manifest as the settings request it")
    func secrets() throws {
        let configuration = try prepared([
            "env": ["PREFECT_API_KEY": "pnu_1", "PREFECT_API_AUTH_STRING": "u:p", "A": "1"]
        ])
        func plan(_ variables: [String: String]) -> (SecretPlan?, JSONValue) {
            var manifest = configuration.manifest
            let prefixed = Dictionary(
                variables.map { ("PREFECT_INTEGRATIONS_KUBERNETES_WORKER_\($0.key)", $0.value) },
                uniquingKeysWith: { $1 })
            let plan = SecretPlan(
                &manifest, settings: KubernetesSettings(IntegrationSettings(environment: prefixed)), jobName: "job-x")
            return (plan, manifest)
        }
        #expect(plan([:]).0 == nil)
        let named = plan([
            "API_KEY_SECRET_NAME": "keys", "API_AUTH_STRING_SECRET_NAME": "auth", "API_AUTH_STRING_SECRET_KEY": "k",
        ])
        #expect(named.0 == nil)
        let text = named.1.serialized()
        #expect(!text.contains("pnu_1") && !text.contains("u:p"))
        #expect(text.contains(#""secretKeyRef":{"name":"keys","key":"value"}"#))
        #expect(text.contains(#""secretKeyRef":{"name":"auth","key":"k"}"#))
        let made = plan(["CREATE_SECRET_FOR_API_KEY": "true"])
        #expect(!made.1.serialized().contains("pnu_1"))
        #expect(
            made.0?.object(namespace: "n", flowRunID: "r").serialized().contains(#""stringData":{"value":"pnu_1"}"#)
                == true)
        let all = plan(["STORE_ENV_AS_SECRET": "1", "CREATE_SECRET_FOR_API_KEY": "1"])
        let container = all.1["spec"]?["template"]?["spec"]?["containers"]?[0]
        #expect(container?["env"]?.arrayValue?.allSatisfy { $0["valueFrom"] != nil } == true)
        #expect(container?["envFrom"] == [["secretRef": ["name": "job-x-api-key"]]])
        #expect(all.0?.object(namespace: "n", flowRunID: "r")["stringData"]?["A"] == "1")
    }

    @Test("labels and annotations of any name and value are converted to ones that the cluster accepts")
    func labelTexts() throws {
        #expect(LabelText.labelKey("Example.COM/Team") == "example.com/Team")
        #expect(LabelText.annotationKey("Example.COM/Team") == "Example.COM/Team")
        #expect(LabelText.labelKey("-a-..b./c/d") == "a.b/c-d")
        #expect(LabelText.labelKey("///x") == "x" && LabelText.labelKey("é/y") == "e/y")
        #expect(LabelText.labelKey("--/x") == "x" && LabelText.labelKey("a/--") == nil && LabelText.labelKey("") == nil)
        #expect(LabelText.value("---") == "" && LabelText.value("_.") == "" && LabelText.value("-a-") == "a")
        let configuration = try prepared(["labels": ["My.Org/a": "---", "...": "x"], "annotations": ["__": "x"]])
        let metadata = configuration.manifest["metadata"]
        #expect(metadata?["labels"]?["my.org/a"] == "")
        #expect(configuration.manifest["spec"]?["template"]?["metadata"]?["labels"]?["my.org/a"] == "")
        #expect(metadata?["labels"]?["..."] == nil && metadata?["annotations"]?["__"] == nil)
    }

    @Test("an unprepared configuration is shown with the environment in its original form")
    func common() throws {
        let env: JSONValue = [
            ["name": "A", "value": "1"], ["name": "B", "valueFrom": ["fieldRef": ["fieldPath": "x"]]],
        ]
        let shown = try KubernetesConfiguration.common(["env": env, "namespace": "n"])
        #expect(shown["env"] == env && shown["namespace"] == "n" && shown["command"] == .null)
        #expect(try KubernetesConfiguration.common(["env": ["A": 1]])["env"] == ["A": "1"])
    }

    @Test("a field of the wrong type is refused with its name")
    func fields() {
        func refusal(_ rendered: JSONValue) -> String {
            do {
                _ = try KubernetesConfiguration(rendered: rendered)
                return ""
            } catch {
                return error.message
            }
        }
        #expect(refusal(["namespace": 7]).contains("'namespace'"))
        #expect(refusal(["annotations": ["a": 1]]).contains("annotations.a"))
        #expect(refusal(["pod_watch_timeout_seconds": "soon"]).contains("pod_watch_timeout_seconds"))
        #expect(refusal(["stream_output": "maybe"]).contains("stream_output"))
        #expect(refusal(["cluster_config": "text"]).contains("cluster_config"))
        #expect(refusal([:]).isEmpty)
    }

    @Test("the default template has the fields and the variables of the Python worker's template")
    func defaultTemplate() throws {
        let template = KubernetesBackend.traits.baseJobTemplate.json
        #expect(
            template["variables"]?["properties"]?.objectValue?.keys.sorted() == [
                "annotations", "backoff_limit", "cluster_config", "command", "cpu_limit", "cpu_request", "env",
                "finished_job_ttl", "image", "image_pull_policy", "job_watch_timeout_seconds", "labels", "memory_limit",
                "memory_request", "name", "namespace", "pod_watch_timeout_seconds", "service_account_name",
                "stream_output",
            ])
        let golden = try #require(Self.goldens.first { $0["label"] == "k8s-default" })
        let recorded = golden["input"]?["work_pool"]?["base_job_template"]
        #expect(template["job_configuration"]?.isEquivalent(to: recorded?["job_configuration"] ?? nil) == true)
    }
}

/// References without any blocks or variables.
struct NoReferences: TemplateReferences {
    func blockDocument(id: String) throws -> JSONValue { throw ReferenceNotFound() }
    func blockDocument(typeSlug: String, name: String) throws -> JSONValue { throw ReferenceNotFound() }
    func variable(named name: String) throws -> JSONValue? { nil }
}
