import PrefectJSON
import TestSupport
import Testing

extension FaultTests {
    /// Makes the API unavailable: new connections are refused, and open connections are reset.
    private func beginOutage(_ proxy: FaultProxy) async throws {
        try await proxy.setMode(.refuse)
        await proxy.resetConnections()
    }

    @Test("no run and no report is lost in a 20-second outage while flows run, end, crash and are cancelled")
    func outage() async throws {
        try await withFaultBench { faults in
            try await faults.bench.withWorker(variables: faults.environment()) { worker in
                let ending =
                    try await faults.add(2, lasting: .until("gone"))
                    + faults.add(2, lasting: .until("gone"), throughProxy: true)
                let crashing = try await faults.add(1, lasting: .until("gone"), ending: .crashed)
                let lasting = try await faults.add(1, lasting: .until("back"))
                let cancelled = try await faults.add(1, lasting: .seconds(600), ending: .cancelled)
                let begun = ending + crashing + lasting + cancelled
                try await faults.wait(for: "begin", of: begun)
                try await beginOutage(faults.proxy)
                async let isOver: Void = Task.sleep(for: .seconds(20))
                let due = try await faults.add(2, lasting: .seconds(0.5))
                try await faults.bench.server.setState(of: cancelled[0].id, to: "CANCELLING", name: "Cancelling")
                try faults.happens("gone")
                try await faults.wait(for: "end", of: ending + crashing)
                try await isOver
                #expect(faults.noted("begin").count == begun.count)
                #expect(try await faults.bench.server.flowRun(crashing[0].id)["state_name"] == "Running")
                try await faults.proxy.setMode(.pass)
                try faults.happens("back")
                try await faults.expectEnds(begun + due, workers: [worker])
            }
        }
    }

    @Test("a worker that is killed and restarted during an outage loses no run and starts none twice")
    func outageAcrossRestart() async throws {
        try await withFaultBench { faults in
            let variables = faults.environment()
            let bench = faults.bench
            var begun: [FaultBench.Run] = []
            var crashing: [FaultBench.Run] = []
            var claimed: [FaultBench.Run] = []
            var due: [FaultBench.Run] = []
            try await withChildProcess(
                WorkerProgram.path, bench.arguments(), environment: bench.environment(variables),
                workingDirectory: bench.directory
            ) { worker in
                begun =
                    try await faults.add(2, lasting: .until("killed"))
                    + faults.add(2, lasting: .until("back"))
                crashing = try await faults.add(1, lasting: .until("gone"), ending: .crashed)
                try await faults.wait(for: "begin", of: begun + crashing)
                try await eventually(
                    within: .seconds(60), "the server has the process of each run", every: .milliseconds(200)
                ) {
                    try await faults.areTold(begun + crashing)
                }
                // The worker may be at any step of the claim and the start of these when the outage begins.
                claimed = try await faults.add(2, lasting: .seconds(0.5))
                try await beginOutage(faults.proxy)
                due = try await faults.add(1, lasting: .seconds(0.5))
                try faults.happens("gone")
                try await eventually(within: .seconds(60), "the ledger has the crash", every: .milliseconds(200)) {
                    let rows = try await WorkerProgram.run(
                        ["runs", "--json"], environment: bench.environment(), in: bench.directory
                    ).output
                    return rows.contains { $0.contains(crashing[0].id) && $0.contains("exited") }
                }
                worker.send(.kill)
                #expect(try await worker.waitForExit() == .signalled(9))
            }
            try faults.happens("killed")
            try await faults.wait(for: "end", of: Array(begun.prefix(2)))
            try await bench.withWorker(variables: variables) { worker in
                try await worker.waitForLine(containing: "keeps trying")
                try await faults.proxy.setMode(.pass)
                try faults.happens("back")
                // The killed worker loses the reports in its memory, but not the reports about the ends of runs.
                try await faults.expectEnds(begun + due, telling: .process, workers: [worker])
                try await faults.expectEnds(claimed, telling: [], workers: [worker])
                try await faults.expectEnds(crashing, telling: [.process, .executedEvent], workers: [worker])
            }
        }
    }
}
