import PrefectConcurrency
import Synchronization
import TestSupport
import Testing

@testable import BackendKit

/// A service with tasks that a test controls.
private struct ScriptedSource: TaskSource {
    typealias Event = String

    final class Tasks: Sendable {
        let statuses = Mutex<[String: String]>([:])
        let calls = Mutex(0)
    }

    let tasks = Tasks()

    func describe(_ names: [String]) async throws -> [String: String] {
        tasks.calls.withLock { $0 += 1 }
        return tasks.statuses.withLock { $0 }
    }

    func hasEnded(_ status: String) -> Bool { status == "ended" }
}

@Suite("Watching tasks")
struct TaskWatchTests {
    private func withWatch(
        _ policy: WatchPolicy = WatchPolicy(), isConnected: Bool = true,
        _ body: (TaskWatch<ScriptedSource>) async throws -> Void
    ) async throws {
        let watch = TaskWatch(ScriptedSource(), policy, isConnected: isConnected)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await watch.run() }
            try await body(watch)
            group.cancelAll()
        }
    }

    @Test("an observer receives the status, the events and the end of its task in their order, and then only events")
    func notices() async throws {
        try await withWatch { watch in
            let statuses = watch.source.tasks
            statuses.statuses.withLock { $0["a"] = "running" }
            var seen: [String] = []
            notices: for await notice in watch.notices(of: "a") {
                switch notice {
                case .status(let status):
                    seen.append(status)
                    watch.happened("paused", to: "a")
                    watch.happened("other", to: "b")
                    statuses.statuses.withLock { $0["a"] = "ended" }
                    watch.changed("a")
                case .event(let event):
                    seen.append(event)
                    if seen.contains("end: ended") { break notices }
                case .end(let status):
                    seen.append("end: \(status ?? "gone")")
                    watch.happened("removed", to: "a")
                }
            }
            #expect(seen == ["running", "paused", "end: ended", "removed"])
            #expect(watch.count == 0)
        }
    }

    @Test("a second observer of a task receives the known status at once")
    func second() async throws {
        try await withWatch { watch in
            watch.source.tasks.statuses.withLock { $0["a"] = "running" }
            let first = watch.notices(of: "a")
            for await notice in first {
                guard case .status = notice else { continue }
                break
            }
            for await notice in watch.notices(of: "a") {
                guard case .status(let status) = notice else { continue }
                #expect(status == "running")
                break
            }
        }
    }

    @Test("a task that does not exist is reported as gone, and one without an observer is forgotten")
    func gone() async throws {
        try await withWatch { watch in
            #expect(await watch.waitForEnd(of: "a"))
            watch.source.tasks.statuses.withLock { $0["b"] = "running" }
            let waiting = Task { await watch.waitForEnd(of: "b") }
            while watch.count == 0 { await Task.yield() }
            waiting.cancel()
            #expect(await !waiting.value)
            while watch.count > 0 { await Task.yield() }
        }
    }

    @Test("a polled task ends without an event")
    func polled() async throws {
        try await withWatch(WatchPolicy { _ in .milliseconds(10) }) { watch in
            watch.source.tasks.statuses.withLock { $0["a"] = "running" }
            for await notice in watch.notices(of: "a") {
                if case .status = notice { watch.source.tasks.statuses.withLock { $0["a"] = "ended" } }
                if case .end = notice { break }
            }
            #expect(watch.source.tasks.calls.withLock { $0 } >= 2)
        }
    }

    @Test("nothing is described while the service is away")
    func away() async throws {
        try await withWatch(isConnected: false) { watch in
            watch.source.tasks.statuses.withLock { $0["a"] = "ended" }
            async let end = watch.waitForEnd(of: "a")
            while watch.count == 0 { await Task.yield() }
            #expect(watch.source.tasks.calls.withLock { $0 } == 0)
            watch.connected()
            #expect(await end)
        }
    }

    @Test("a status that the stream reports needs no description, and ends its task")
    func reported() async throws {
        try await withWatch(isConnected: false) { watch in
            let notices = watch.notices(of: "a")
            watch.reported("running", of: "a")
            watch.reported("running", of: "a")
            watch.reported("running", of: "nobody's")
            watch.resumed()
            watch.reported("ended", of: "a")
            watch.reported("running", of: "a")
            watch.happened("last", to: "a")
            var seen: [String] = []
            for await notice in notices {
                switch notice {
                case .status(let status): seen.append(status)
                case .event(let event): seen.append(event)
                case .end(let status): seen.append("end: \(status ?? "gone")")
                }
                if seen.last == "last" { break }
            }
            #expect(seen == ["running", "end: ended", "last"])
            #expect(watch.source.tasks.calls.withLock { $0 } == 0 && watch.count == 0)
        }
    }
}
