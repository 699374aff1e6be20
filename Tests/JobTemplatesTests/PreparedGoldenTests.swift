import JobTemplates
import OrderedCollections
import PrefectJSON
import Testing

@testable import DockerBackend
@testable import KubernetesBackend

@Suite("Recorded preparations")
struct PreparedGoldenTests {
    /// The settings in the environment of the recordings.
    private static let settings: [(name: String, value: String)] = [
        ("PREFECT_HOME", "/home/worker/.prefect"), ("PREFECT_API_URL", "http://127.0.0.1:4200/api"),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", #"{"X-A": "b"}"#), ("PREFECT_LOGGING_LEVEL", "INFO"),
        ("PREFECT_SERVER_EPHEMERAL_ENABLED", "True"), ("PREFECT_WORKER_QUERY_SECONDS", "5.0"),
    ]

    private static func goldens(_ type: String) throws -> [JSONValue] {
        try #require(VectorFile.load("prepared_golden").arrayValue)
            .filter { $0["type"]?.stringValue == type && $0["expected"] != nil }
    }

    private static func prepare(
        _ golden: JSONValue, labels: PreparationContext.BackendLabels = .init()
    ) async throws -> PreparedJobConfiguration {
        let input = try #require(golden["input"])
        let pool = try #require(input["work_pool"])
        let deployment = input["deployment"].flatMap { $0.isNull ? nil : $0 }
        let variables = try JobVariables(
            deployment: deployment?["job_variables"], flowRun: input["flow_run"]?["job_variables"])
        let renderer = JobRenderer(
            template: try BaseJobTemplate(json: #require(pool["base_job_template"])), environment: [:],
            references: Lookups())
        let configuration = try BaseJobConfiguration(
            rendered: await renderer.render(jobVariables: variables.json))
        return try configuration.prepare(
            for: PreparationContext(
                flowRun: #require(input["flow_run"]), flow: input["flow"], deployment: deployment,
                workPool: .init(id: #require(pool["id"]?.stringValue), name: #require(pool["name"]?.stringValue)),
                workerName: input["worker_name"]?.stringValue, workerID: input["worker_id"]?.stringValue,
                settingsEnvironment: settings, backendLabels: labels))
    }

    private static func order(_ golden: JSONValue, _ attribute: String) -> [String] {
        golden["attributes_order"]?[attribute]?.arrayValue?.compactMap(\.stringValue) ?? []
    }

    private static func strings(_ value: JSONValue?) -> OrderedDictionary<String, String> {
        (value?.objectValue ?? [:]).compactMapValues(\.stringValue)
    }

    @Test("process configurations match the recordings, with the order of their variables and labels")
    func process() async throws {
        let goldens = try Self.goldens("process")
        #expect(goldens.count == 3)
        for golden in goldens {
            let expected = try #require(golden["expected"])
            var prepared = try await Self.prepare(golden)
            let inherited = Self.strings(golden["input"]?["process_env"])
            prepared.env = mergeProcessEnvironment(inherited: inherited, prepared: prepared).configured
            if !prepared.commandIsConfigured {
                prepared.command = processEngineCommand(interpreter: "/opt/venv/bin/python")
            }
            #expect(Array(prepared.env.keys) == Self.order(golden, "env"))
            #expect(Array(prepared.labels.keys) == Self.order(golden, "labels"))
            var json = prepared.json
            // The template has no `working_dir`, and the backend's default is null.
            json["working_dir"] = json["working_dir"] ?? .null
            #expect(json.isEquivalent(to: expected), "\(golden["label"] ?? nil)")
        }
    }

    @Test("the common fields of Docker configurations match the recordings")
    func docker() async throws {
        let goldens = try Self.goldens("docker")
        #expect(goldens.count == 2)
        for golden in goldens {
            let prepared = try await Self.prepare(golden)
            #expect(prepared.env == Self.strings(golden["expected"]?["env"]))
            #expect(Array(prepared.env.keys) == Self.order(golden, "env"))
            #expect(prepared.labels.keys.map(Slug.dockerLabelKey) == Self.order(golden, "labels"))
            #expect(Array(prepared.labels.values) == Array(Self.strings(golden["expected"]?["labels"]).values))
            #expect(Slug.dockerContainerName(prepared.name) == golden["expected"]?["name"]?.stringValue)
            #expect(prepared.command == golden["expected"]?["command"]?.stringValue)
        }
    }

    @Test("the common fields of Kubernetes configurations match the recordings")
    func kubernetes() async throws {
        let goldens = try Self.goldens("kubernetes")
        #expect(goldens.count == 3)
        for golden in goldens {
            let input = try #require(golden["input"])
            let name = "app.kubernetes.io/name"
            let labels = PreparationContext.BackendLabels(
                flowRun: [
                    "app.kubernetes.io/managed-by": "prefect", "app.kubernetes.io/part-of": "prefect",
                    "app.kubernetes.io/version": "3.8.8",
                ],
                flow: [name: Slug.kubernetesLabelValue(try #require(input["flow"]?["name"]?.stringValue))],
                deployment: input["deployment"]?["name"]?.stringValue.map { [name: Slug.kubernetesLabelValue($0)] }
                    ?? [:])
            let prepared = try await Self.prepare(golden, labels: labels)
            // The backend adds the last variable itself.
            #expect(Array(prepared.env.keys) == Self.order(golden, "env").dropLast())
            #expect(Array(prepared.labels.keys) == Self.order(golden, "labels"))
            #expect(prepared.labels == Self.strings(golden["expected"]?["labels"]))
            let manifest = golden["expected"]?["job_manifest"]?["metadata"]
            let slugs = OrderedDictionary(
                prepared.labels.map { (Slug.kubernetesLabelKey($0.key), Slug.kubernetesLabelValue($0.value)) },
                uniquingKeysWith: { $1 })
            #expect(slugs == Self.strings(manifest?["labels"]))
            #expect(Slug.kubernetesName(prepared.name).map { "\($0)-" } == manifest?["generateName"]?.stringValue)
        }
    }
}
