import HTTPTransport
import JSON
import PrefectAPI
import Synchronization
import TestSupport
import Testing
import Worker

@Suite("The API is back after an outage", .serialized)
struct APIReturnTests {
    /// Pauses that last much longer than the test waits for the reports, unless the API is back when they begin. They
    /// are counted while they last.
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

    @Test("all ends that happened meanwhile are reported at once, not at the end of each pause")
    func crashes() async throws {
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(Self.runs, deployment: deployment)
            let pauses = Pauses()
            try await withWorker(api, pause: { try await pauses.pause($0) }) { subject in
                try await api.waitUntil("all run", timeout: .seconds(60)) { state in
                    runs.allSatisfy { state.run($0)?.infrastructurePID != nil }
                }
                await api.goOffline()
                for run in runs { subject.backend.finish(run, ExitStatus(code: 3)) }
                try await eventually(within: .seconds(60), "all wait to be reported") { pauses.current >= Self.runs }
                // By now the loops have noticed that the API is away, and their own pauses have grown. Which of them
                // notices first is open; the pool is not polled while it cannot be read.
                try await eventually(within: .seconds(60), "the outage is noticed") {
                    (subject.log.contains("cannot be polled") || subject.log.contains("cannot be read"))
                        && subject.client.reachability.isAway
                }
                pauses.isBack.open()
                try await api.comeBack()
                _ = try await subject.client.json(APIRequest(.get, ["work_pools", "p"]))
                // Both waits end long before a pause that is not cut short.
                try await api.waitUntil("all are reported", timeout: .seconds(20)) { state in
                    runs.allSatisfy { state.run($0)?.stateType == .crashed }
                }
                try await eventually(within: .seconds(20), "all events have arrived") {
                    api.events.count { $0["event"] == "prefect.worker.executed-flow-run" } == Self.runs
                }
            }
        }
    }

    @Test("the pool is polled at once")
    func poll() async throws {
        try await withPool { api, deployment in
            // The next ordinary poll and heartbeat are ten minutes away.
            let change: (inout ServedPool) -> Void = { served in
                served.pollInterval = .seconds(600)
                served.heartbeatInterval = .seconds(600)
            }
            try await withWorker(api, serve: change) { subject in
                try await api.waitUntil("it polled") { !$0.requests("POST", "*/get_scheduled_flow_runs").isEmpty }
                await api.goOffline()
                let request = APIRequest(.get, ["work_pools", "p"])
                try await eventually(within: .seconds(30), "the outage is noticed") {
                    _ = try? await subject.client.send(request, effort: .once)
                    return subject.client.reachability.isAway
                }
                let run = api.scheduleRun(deployment: deployment)
                try await api.comeBack()
                _ = try await subject.client.json(request)
                try await api.waitUntil("it is taken", timeout: .seconds(20)) { $0.run(run)?.infrastructurePID != nil }
            }
        }
    }
}
