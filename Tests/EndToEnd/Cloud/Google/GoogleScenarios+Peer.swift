import PrefectJSON
import TestSupport
import Testing

extension GoogleBench {
    /// The Python worker and this one each stop what the other has started.
    static func checkPeers(_ type: String) async throws {
        try await Peers.withServer { server in
            try await withGoogleBench(type, on: server) { google in
                for isPython in [true, false] { try await google.checkStop(startedByPython: isPython) }
            }
        }
    }

    private func checkStop(startedByPython isPython: Bool) async throws {
        let run = try await shell("trap \"exit 0\" TERM; while :; do sleep 0.2; done")
        try await Peers(bench: bench, type: type, variables: environment()).expectStop(
            of: run, startedByPython: isPython
        ) {
            try await containers(of: run) == 1
        } stopped: {
            let identifier = try await bench.server.flowRun(run)["infrastructure_pid"]?.stringValue ?? "none"
            let agents =
                type == "vertex-ai"
                ? try await agents("POST", path: "/\(identifier):cancel")
                : try await agents("DELETE", path: "/jobs/\(identifier)")
            return agents.contains { $0.hasPrefix("prefect-worker") == isPython }
        }
        try await expectRemoval(of: containerNames(of: run))
    }

    /// Waits until none of the containers exists any more.
    private func expectRemoval(of containers: [String]) async throws {
        #expect(containers.count == 1)
        try await eventually(within: .seconds(60), "no container remains", every: .milliseconds(500)) {
            let left = try await DockerBench.docker(["ps", "-a", "--format", "{{.Names}}"])
            return Set(left).isDisjoint(with: containers)
        }
    }
}
