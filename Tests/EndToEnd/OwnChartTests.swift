import Foundation
import PrefectJSON
import TestSupport
import Testing

/// The chart in `examples/helm`.
enum OwnChart {
    /// The objects of a release `my-worker` with these values in the namespace `prefect`, or the lines of the refusal.
    static func render(_ values: JSONValue) async throws -> (objects: [JSONValue], refusal: String) {
        let python = try #require(ToolsPython.path)
        let chart = "\(Documentation.root)/examples/helm/prefect-worker"
        let arguments = [try Resource.path("render_chart", "py"), chart, values.serialized()]
        return try await withChildProcess(python, arguments) { renderer in
            let status = try await renderer.waitForExit(timeout: .seconds(60))
            guard status == .exited(0) else { return ([], renderer.errors.joined(separator: "\n")) }
            let text = renderer.output.joined(separator: "\n")
            return (try JSONValue(parsing: Array(text.utf8)).arrayValue ?? [], "")
        }
    }
}

@Suite("The chart for several pools", .toolsPython, .bounded)
struct OwnChartTests {
    private func object(_ kind: String, in objects: [JSONValue]) -> JSONValue? {
        objects.first { $0["kind"]?.stringValue == kind }
    }

    private static let pools: JSONValue = [
        "etl": ["type": "process", "limit": 2, "queues": ["high", "default"]], "images": ["type": "process"],
    ]

    @Test("without a URL or a pool, the chart names the missing value")
    func missing() async throws {
        #expect(try await OwnChart.render([:]).refusal.contains("apiURL is missing"))
        #expect(try await OwnChart.render(["apiURL": "http://server/api"]).refusal.contains("pools is empty"))
        let keda: JSONValue = ["apiURL": "http://server/api", "pools": Self.pools, "keda": ["enabled": true]]
        #expect(try await OwnChart.render(keda).refusal.contains("keda.prometheus is missing"))
    }

    @Test("the arguments, the configuration and the environment of the chart give a worker that serves all pools")
    func worker() async throws {
        try await withFakePrefectAPI { api in
            for name in ["etl", "images"] { api.addPool(name: name) }
            let objects = try await OwnChart.render([
                "apiURL": .string(api.url), "pools": Self.pools, "limit": 3, "extraArgs": ["--run-once"],
            ]).objects
            let pod = object("StatefulSet", in: objects)?["spec"]?["template"]?["spec"]
            let container = try #require(pod?["containers"]?[0])
            let text = try #require(object("ConfigMap", in: objects)?["data"]?["worker.toml"]?.stringValue)
            try await withTemporaryDirectory { directory in
                try TestFile.write(text, to: "\(directory)/worker.toml")
                let arguments = (container["args"]?.arrayValue ?? []).compactMap(\.stringValue).map {
                    $0.replacing("/etc/prefect-worker", with: directory).replacing("/state", with: "\(directory)/state")
                        .replacing("$(POD_NAME)", with: "my-worker-0")
                }
                var variables = ["PREFECT_WORKER_PYTHON": "none", "PREFECT_WORKER_WEBSERVER_PORT": "0"]
                for variable in container["env"]?.arrayValue ?? [] {
                    guard let name = variable["name"]?.stringValue, name.hasPrefix("PREFECT_") else { continue }
                    variables[name] = variable["value"]?.stringValue
                }
                let outcome = try await WorkerProgram.run(
                    arguments, environment: WorkerProgram.environment(home: directory, variables), in: directory)
                #expect(outcome.status == .exited(0), "\(outcome.text)")
                for name in ["etl", "images"] {
                    #expect(api.pool(name)?.workers.map(\.name) == ["my-worker-0"])
                    #expect(!api.requests("POST", "/work_pools/\(name)/get_scheduled_flow_runs").isEmpty)
                }
                let poll = api.requests("POST", "/work_pools/etl/get_scheduled_flow_runs").first
                #expect(poll?.body["work_queue_names"] == ["high", "default"])
            }
        }
    }

    @Test("each option gives its objects: roles by namespace, volumes, monitors and a scaler of the pools' runs")
    func options() async throws {
        let plain = try await OwnChart.render(["apiURL": "http://server/api", "pools": Self.pools]).objects
        #expect(
            Set(plain.compactMap { $0["kind"]?.stringValue }) == [
                "ServiceAccount", "ConfigMap", "StatefulSet", "Service",
            ])
        let all = try await OwnChart.render([
            "apiURL": "http://server/api", "pools": ["a.b": ["type": "kubernetes"], "c": .null],
            "existingSecret": "key", "jobNamespaces": ["jobs"], "statusPage": true, "warmEngines": "off",
            "persistence": ["enabled": true], "podMonitor": ["enabled": true],
            "keda": ["enabled": true, "prometheus": "http://prometheus"],
        ]).objects
        let roles = all.filter { $0["kind"] == "Role" }.compactMap { $0["metadata"]?["namespace"]?.stringValue }
        #expect(roles == ["prefect", "jobs"])
        let set = try #require(object("StatefulSet", in: all)?["spec"])
        #expect(set["replicas"] == nil && set["volumeClaimTemplates"]?.arrayValue?.count == 1)
        let container = set["template"]?["spec"]?["containers"]?[0]
        #expect(container?["envFrom"] == [["secretRef": ["name": "key"]]])
        let arguments = (container?["args"]?.arrayValue ?? []).compactMap(\.stringValue)
        #expect(arguments.contains("--status-page"))
        #expect(zip(arguments, arguments.dropFirst()).contains { $0.0 == "--warm-engines" && $0.1 == "off" })
        #expect(object("PodMonitor", in: all)?["spec"]?["podMetricsEndpoints"]?[0]?["port"] == "probes")
        let query = object("ScaledObject", in: all)?["spec"]?["triggers"]?[0]?["metadata"]?["query"]?.stringValue ?? ""
        // A name of a pool is no pattern.
        #expect(query.contains(#"prefect_worker_waiting_runs{pool=~"a\\.b|c"}"#), "\(query)")
        let metrics = try Documentation.text("Sources/prefect-worker/Documentation.docc/Operations.md")
        for metric in query.matches(of: #/prefect_worker_\w+/#).map({ String($0.output) }) {
            #expect(metrics.contains(metric), "\(metric)")
        }
    }
}
