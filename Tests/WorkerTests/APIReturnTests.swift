import BackendKit
import HTTPTransport
import PrefectClient
import PrefectJSON
import Synchronization
import TestSupport
import Testing
import WorkerKit

@Suite("Return of the API after an outage", .serialized)
struct APIReturnTests {
    /// Pauses for the client. Each one lasts much longer than the test waits for the reports, unless the API is
    /// available when the pause begins. ``current`` counts the pauses in progress.
    private final class Pauses: Sendable {
        let isBack = Gate()
        private let count = Mutex(0)

        var current: Int { count.withLock { $0 } }

        func pause(_ duration: Duration) async throws {
            count.withLock { $0 += 1 }
            defer { count.withLock { $0 -= 1 } }
            try await Task.sleep(for: isBack.isOpen ? duration : max(duration, .seconds(300)))
        }
    }

    private static let runs = 100

    @Test("runs that ended during the outage are reported immediately, not at the end of each retry pause")
    func crashes() async throws {
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(Self.runs, deployment: deployment)
            let pauses = Pauses()
            try await withWorker(api, pause: { try await pauses.pause($0) }) { subject in
                try await api.waitUntil("all runs have started", timeout: .seconds(60)) { state in
                    runs.allSatisfy { state.run($0)?.infrastructurePID != nil }
                }
                await api.goOffline()
                for run in runs { subject.backend.finish(run, ExitStatus(code: 3)) }
                try await eventually(within: .seconds(60), "all crash reports are waiting") {
                    pauses.current >= Self.runs
                }
                // By now the loops have noticed the outage, and their own pauses have grown. Either of them may be the
                // first to notice it, because the worker does not poll a pool that it cannot read.
                try await eventually(within: .seconds(60), "the worker has noticed the outage") {
                    (subject.log.contains("cannot be polled") || subject.log.contains("cannot be read"))
                        && subject.client.reachability.isUnreachable
                }
                pauses.isBack.open()
                try await api.comeBack()
                _ = try await subject.client.json(APIRequest(.get, ["work_pools", "p"]))
                // Both timeouts are much shorter than a pause that is not cut short.
                try await api.waitUntil("all crashes are reported", timeout: .seconds(20)) { state in
                    runs.allSatisfy { state.run($0)?.stateType == .crashed }
                }
                try await eventually(within: .seconds(20), "all events have arrived") {
                    api.events.count { $0["event"] == "prefect.worker.executed-flow-run" } == Self.runs
                }
            }
        }
    }

    @Test("the pool is polled immediately after the outage")
    func poll() async throws {
        try await withPool { api, deployment in
            // The next ordinary poll and heartbeat are ten minutes away.
            let change: (inout ServedPool) -> Void = { served in
                served.pollInterval = .seconds(600)
                served.heartbeatInterval = .seconds(600)
            }
            try await withWorker(api, serve: change) { subject in
                try await api.waitUntil("the worker has polled") {
                    !$0.requests("POST", "*/get_scheduled_flow_runs").isEmpty
                }
                await api.goOffline()
                let request = APIRequest(.get, ["work_pools", "p"])
                try await eventually(within: .seconds(30), "the worker has noticed the outage") {
                    _ = try? await subject.client.send(request, effort: .once)
                    return subject.client.reachability.isUnreachable
                }
                let run = api.scheduleRun(deployment: deployment)
                try await api.comeBack()
                _ = try await subject.client.json(request)
                try await api.waitUntil("the run has started", timeout: .seconds(20)) {
                    $0.run(run)?.infrastructurePID != nil
                }
            }
        }
    }
}
