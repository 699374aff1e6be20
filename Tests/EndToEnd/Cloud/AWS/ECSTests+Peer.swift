import PrefectJSON
import TestSupport
import Testing

extension ECSTests {
    @Test("the Python worker and this one each stop what the other has started, at the server's request", .peers)
    func peer() async throws {
        try await Peers.withServer { server in
            try await withECSBench(on: server) { ecs in
                for isPython in [false, true] { try await expectStop(startedByPython: isPython, ecs) }
            }
        }
    }

    private func expectStop(startedByPython isPython: Bool, _ ecs: ECSBench) async throws {
        let run = try await ecs.shell("trap 'exit 0' TERM; while :; do sleep 0.2; done")
        let peers = Peers(bench: ecs.bench, type: "ecs", variables: ecs.environment())
        try await peers.expectStop(of: run, startedByPython: isPython) {
            try await ecs.containers(of: run) == 1
        } stopped: {
            let identifier = try await ecs.bench.server.flowRun(run)["infrastructure_pid"]?.stringValue ?? ""
            let task = identifier.split(separator: "/").last ?? "none"
            let calls = try await ecs.stand.call("GET", "/_lab/calls").arrayValue ?? []
            return calls.contains {
                $0["operation"] == "StopTask" && $0["body"]?.stringValue?.contains(task) == true
                    && $0["agent"]?.stringValue?.hasPrefix(isPython ? "prefect-worker" : "Boto3") == true
            }
        }
    }
}
