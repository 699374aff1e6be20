import Foundation
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@testable import WorkerKit

@Suite("The report of a worker for /status", .serialized)
struct StatusReportTests {
    private let start = ContinuousClock.now

    @Test("a minute has the number of its durations, their median and their maximum")
    func minutes() {
        var history = MinuteHistory(since: start)
        for seconds in [0.3, 0.1, 9.0] { history.record(.seconds(seconds), at: start + .seconds(59)) }
        history.record(.milliseconds(250), at: start + .seconds(60))
        #expect(
            history.json(at: start + .seconds(185)) == [
                ["minutes_ago": 3, "count": 3, "median": 0.3, "max": 9.0],
                ["minutes_ago": 2, "count": 1, "median": 0.25, "max": 0.25],
            ])
        #expect(history.json(at: start + .seconds(60 * 60)).arrayValue?.count == 1)
        #expect(history.json(at: start + .seconds(61 * 60)) == [])
    }

    @Test("the memory of the history has a limit, and its counts and maxima stay exact")
    func bounded() throws {
        var history = MinuteHistory(since: start)
        for minute in 0..<200 {
            for number in 1...500 { history.record(.seconds(number), at: start + .seconds(minute * 60)) }
        }
        let minutes = try #require(history.json(at: start + .seconds(199 * 60)).arrayValue)
        #expect(minutes.count == MinuteHistory.length)
        #expect(minutes.allSatisfy { $0["count"] == 500 && $0["max"] == 500.0 })
        let medians = minutes.compactMap { $0["median"]?.doubleValue }
        #expect(medians.count == 60 && medians.allSatisfy { (50...450).contains($0) }, "\(medians)")
    }

    @Test("the report has the lateness of claims, the latency of starts and the runs in flight")
    func runs() async throws {
        try await withPool { api, deployment in
            let late = api.scheduleRuns(1, deployment: deployment, at: .now - 90)[0]
            try await withWorker(api, serve: { $0.limit = 5 }) { subject in
                try await api.waitUntil("the run's infrastructure is recorded") {
                    $0.run(late)?.infrastructurePID != nil
                }
                let report = subject.daemon.report
                let lateness = report["last_hour"]?["lateness"]?.arrayValue?.last
                #expect(lateness?["count"] == 1)
                #expect((90..<150).contains(lateness?["max"]?.doubleValue ?? 0), "\(report)")
                let latency = report["last_hour"]?["start_latency"]?.arrayValue?.last
                #expect(latency?["count"] == 1)
                #expect((0..<60).contains(latency?["median"]?.doubleValue ?? -1), "\(report)")
                #expect(report["slots"] == ["used": 1, "limit": nil])
                #expect(report["pools"]?.arrayValue?.first?["slots"] == ["used": 1, "limit": 5])
                #expect(report["runs_in_flight"]?["count"] == 1)
                let run = report["runs_in_flight"]?["oldest"]?.arrayValue?.first
                #expect(run?["id"] == .string(late))
                #expect(run?["name"] == .string(api.run(late)?.name ?? ""))
                #expect(run?["pool"] == "p" && run?["stage"] == "running")
                #expect(run?["infrastructure"]?.stringValue == api.run(late)?.infrastructurePID)
                let (since, now) = (run?["since"]?.stringValue, report["time"]?.stringValue)
                let began = try #require(since.flatMap { Timestamp($0) })
                let age = try #require(now.flatMap { Timestamp($0) }).seconds(since: began)
                #expect((0..<60).contains(age))
            }
        }
    }

    @Test("a run that another worker claims counts neither as late nor as started")
    func notClaimed() async throws {
        try await withPool { api, deployment in
            let gone = api.scheduleRun(deployment: deployment)
            api.script(path: "/flow_runs/\(gone)/set_state", answer: .status(404))
            try await withWorker(api) { subject in
                try await api.waitUntil("the claim was refused") {
                    !$0.requests("POST", "/flow_runs/\(gone)/set_state").isEmpty
                }
                try await subject.waitUntilIdle()
                #expect(subject.daemon.report["last_hour"] == ["lateness": [], "start_latency": []])
            }
        }
    }

    @Test("of 2,000 runs with long names, the report lists 100 and stays small")
    func manyRuns() async throws {
        try await withPool { api, _ in
            try await withWorker(api) { subject in
                for number in 0..<2000 {
                    let name = "\(number)-" + String(repeating: "🧨", count: 5000)
                    _ = subject.worker.registry.register(KnownRun(id: "run-\(number)", name: name))
                }
                let report = subject.daemon.report
                #expect(report["runs_in_flight"]?["count"] == 2000)
                #expect(report["runs_in_flight"]?["oldest"]?.arrayValue?.count == WorkerDaemon.listedRuns)
                #expect(report.serialized().utf8.count < 200_000)
            }
        }
    }

    @Test("a pool is unavailable since its outage began, also when the reason changes")
    func outages() throws {
        let infrastructure = Gate()
        let state = PoolState(infrastructureUnavailableReason: { infrastructure.isOpen ? nil : "no engine" })
        #expect(state.outage?.reason == "the work pool has not been read yet")
        let since = state.outage?.since
        state.setPool(WorkPool(unchecked: ["name": "p", "type": "process"]), unavailableReason: nil)
        #expect(state.outage?.reason == "no engine" && state.outage?.since == since)
        infrastructure.open()
        state.tick()
        #expect(state.outage == nil)
        state.setPollFailure("the API is away")
        state.tick()
        #expect(state.outage?.reason == "the API is away" && state.outage?.since ?? .earliest > since ?? .latest)
    }
}
