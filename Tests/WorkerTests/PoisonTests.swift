import Foundation
import JSON
import Logging
import PrefectAPI
import Synchronization
import TestSupport
import Testing

@testable import Worker

@Suite("A run of which the worker dies", .serialized)
struct PoisonTests {
    /// A fake API with a pool, a backend, and a folder for state directories.
    private func withLives(
        _ backend: FakeBackend = FakeBackend(),
        _ body: (FakePrefectAPI, FakeDeployment, FakeBackend, Lives) async throws -> Void
    ) async throws {
        let folder = try TemporaryDirectory()
        try await withPool { api, deployment in
            try await body(api, deployment, backend, Lives(folder: folder))
        }
    }

    /// State directories of successive processes. A copy of one is what the next finds if the process has died just then.
    private final class Lives: Sendable {
        private let folder: TemporaryDirectory
        private let number = Mutex(0)

        init(folder: TemporaryDirectory) { self.folder = folder }

        var current: String { number.withLock { "\(folder.path)/\($0)" } }

        func die() throws {
            let (old, new) = number.withLock { number in
                defer { number += 1 }
                return ("\(folder.path)/\(number)", "\(folder.path)/\(number + 1)")
            }
            try FileManager.default.createDirectory(atPath: new, withIntermediateDirectories: true)
            for name in ["ledger.sqlite", "ledger.sqlite-wal"] {
                try FileManager.default.copyItem(atPath: "\(old)/\(name)", toPath: "\(new)/\(name)")
            }
        }

        func prepare() throws {
            try FileManager.default.createDirectory(atPath: current, withIntermediateDirectories: true)
        }

        func entry(_ run: String) throws -> LedgerEntry? {
            try RunLedger.entries(inDirectory: current).first { $0.flowRunID == run }
        }

        /// The runs with two deaths, the work that is under way included.
        var deadTwice: [String] {
            get throws { try RunLedger.entries(inDirectory: current).filter { $0.deaths == 2 }.map(\.flowRunID) }
        }
    }

    @Test("is not tried a third time, and the others that were worked on at the time run")
    func poison() async throws {
        let poison = Mutex<String?>(nil)
        let never = Gate()
        let isFirstLife = Mutex(true)
        let backend = FakeBackend {
            $0.beforeStart = { job in
                guard isFirstLife.withLock({ $0 }) || poison.withLock({ $0 == job.flowRunID }) else { return }
                await never.wait()
                try Task.checkCancellation()
            }
        }
        try await withLives(backend) { api, deployment, backend, lives in
            try lives.prepare()
            let run = api.scheduleRun(deployment: deployment)
            let innocent = api.scheduleRun(deployment: deployment)
            poison.withLock { $0 = run }
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                try await eventually("both are being started") { backend.startCount == 2 }
                for id in [run, innocent] { #expect(try lives.entry(id)?.deaths == 1) }
                try lives.die()
            }
            isFirstLife.withLock { $0 = false }
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                try await eventually("it is being started again") {
                    let atWork = try lives.deadTwice
                    // One after the other, never both.
                    #expect(atWork.count <= 1)
                    return atWork == [run]
                }
                try await eventually("the start is noted") { try lives.entry(run)?.work == .starting }
                try lives.die()
            }
            let starts = backend.started.count { $0 == run }
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { subject in
                try await api.waitUntil("it is reported") { $0.run(run)?.stateType == .crashed }
                try await api.waitUntil("the other runs") { $0.run(innocent)?.infrastructurePID != nil }
                try await eventually("the other is past it") { try lives.entry(innocent)?.deaths == 0 }
                try await eventually("it is let go") { !subject.worker.registry.contains(run) }
                #expect(try lives.entry(run) == nil)
            }
            let message = try #require(api.run(run)?.state?.message)
            #expect(message.contains("died twice while it was creating its infrastructure"))
            #expect(backend.started.count { $0 == run } == starts)
            #expect(backend.watched.contains(innocent))
        }
    }

    @Test("is no run that was only watched when the worker died, however often")
    func watched() async throws {
        try await withLives { api, deployment, backend, lives in
            try lives.prepare()
            let run = api.scheduleRun(deployment: deployment)
            for life in 1...4 {
                try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                    try await eventually("it is watched") { backend.watched.count == life }
                    try await eventually("it is past all work") { try lives.entry(run)?.deaths == 0 }
                    try lives.die()
                }
            }
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { subject in
                try await eventually("it is watched") { backend.watched.count == 5 }
                backend.finish(run, ExitStatus(code: 3))
                try await subject.waitUntilIdle()
            }
            #expect(backend.started == [run])
            #expect(api.run(run)?.state?.message?.contains("status code 3") == true)
        }
    }

    /// A backend whose starts last until they are cancelled.
    private static func hangingBackend() -> FakeBackend {
        let never = Gate()
        return FakeBackend {
            $0.beforeStart = { _ in
                await never.wait()
                try Task.checkCancellation()
            }
        }
    }

    @Test("is no run that a worker left in good order in the middle of its start")
    func orderly() async throws {
        try await withLives(Self.hangingBackend()) { api, deployment, backend, lives in
            try lives.prepare()
            let run = api.scheduleRun(deployment: deployment)
            for life in 1...3 {
                try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                    try await eventually("it is being started") { backend.startCount == life }
                }
                #expect(try lives.entry(run)?.deaths == 0)
            }
        }
    }

    @Test("is no run whose start takes longer than a death could be blamed on it")
    func slow() async throws {
        try await withLives(Self.hangingBackend()) { api, deployment, backend, lives in
            try lives.prepare()
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(
                api, backend: backend, workPatience: .milliseconds(50), stateDirectory: lives.current
            ) { _ in
                try await eventually("it is being started") { backend.startCount == 1 }
                try await eventually("the note is taken back") { try lives.entry(run)?.deaths == 0 }
                #expect(try lives.entry(run)?.stage == .submitted)
            }
        }
    }

    /// A run that runs, in the ledger of a worker that has died of it so often.
    private func runAndDie(
        _ deaths: Int, _ api: FakePrefectAPI, _ deployment: FakeDeployment, _ backend: FakeBackend, _ lives: Lives
    ) async throws -> String {
        try lives.prepare()
        let run = api.scheduleRun(deployment: deployment)
        try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
            try await eventually("it is watched") { backend.watched == [run] }
            try await api.waitUntil("it is recorded") { $0.run(run)?.infrastructurePID != nil }
            try lives.die()
        }
        api.setState(of: run, to: .running)
        var entry = try #require(try lives.entry(run))
        entry.deaths = deaths
        entry.work = .recovering
        await RunLedger(directory: lives.current, logger: CapturedLog().logger).record([entry])
        return run
    }

    @Test("has its infrastructure stopped, without a look at its configuration")
    func stopped() async throws {
        try await withLives { api, deployment, backend, lives in
            let run = try await runAndDie(2, api, deployment, backend, lives)
            let contexts = backend.contexts.count
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { subject in
                try await api.waitUntil("it is reported") { $0.run(run)?.stateType == .crashed }
                try await eventually("it is let go") { !subject.worker.registry.contains(run) }
                try await api.waitUntil("its log says so") {
                    $0.logMessages(of: run).contains { $0.contains("Infrastructure 'fake:\(run)' was stopped") }
                }
            }
            #expect(backend.calls.contains(.stop(run, grace: .seconds(5), .shutdown)))
            #expect(!backend.calls.contains(.adopt(run)))
            #expect(backend.contexts.count == contexts)
            #expect(try lives.entry(run) == nil)
        }
    }

    @Test("has its remains removed although its infrastructure has ended meanwhile")
    func ended() async throws {
        try await withLives { api, deployment, backend, lives in
            let run = try await runAndDie(2, api, deployment, backend, lives)
            backend.script { $0.stopErrors = [InfrastructureError(.notFound, "it is gone")] }
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                try await api.waitUntil("it is reported") { $0.run(run)?.stateType == .crashed }
                try await eventually("its remains are removed") { backend.calls.contains(.cleanUp(run)) }
                try await eventually("it is let go") { try lives.entry(run) == nil }
            }
        }
    }

    @Test("has its infrastructure left where the worker has died of stopping it as well, which its log says")
    func left() async throws {
        try await withLives { api, deployment, backend, lives in
            let run = try await runAndDie(3, api, deployment, backend, lives)
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                try await api.waitUntil("it is reported") { $0.run(run)?.stateType == .crashed }
                try await api.waitUntil("its log says so") {
                    $0.logMessages(of: run).contains { $0.contains("may still run and is left alone") }
                }
            }
            #expect(!backend.calls.contains(.stop(run, grace: .seconds(5), .shutdown)))
            #expect(try lives.entry(run) == nil)
        }
    }

    @Test("is reported, however often a worker has died meanwhile", arguments: [4, 40])
    func reported(deaths: Int) async throws {
        try await withLives { api, deployment, backend, lives in
            let run = try await runAndDie(deaths, api, deployment, backend, lives)
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { subject in
                try await api.waitUntil("it is reported") { $0.run(run)?.stateType == .crashed }
                try await eventually("it is let go") { try lives.entry(run) == nil }
            }
            #expect(!backend.calls.contains(.stop(run, grace: .seconds(5), .shutdown)))
        }
    }

    @Test("is reported by a later worker where a worker dies before its report is accepted, and not blamed for that")
    func diesOfReport() async throws {
        try await withLives { api, deployment, backend, lives in
            let run = try await runAndDie(2, api, deployment, backend, lives)
            let script = api.script(path: "/flow_runs/\(run)/set_state", answer: .status(503))
            for _ in 0..<3 {
                try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                    let uses = script.uses
                    try await eventually("it is being reported") { script.uses > uses }
                    try lives.die()
                }
                #expect(try lives.entry(run)?.deaths == 2)
            }
            script.end()
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                try await api.waitUntil("it is reported") { $0.run(run)?.stateType == .crashed }
                try await eventually("it is let go") { try lives.entry(run) == nil }
            }
            #expect(backend.calls.contains(.stop(run, grace: .seconds(5), .shutdown)))
        }
    }

    @Test("is counted in a row of the ledger that an older worker can read, and reads that one's")
    func rows() throws {
        var entry = LedgerEntry(
            flowRunID: "a", flowRunName: "b", api: "http://api", pool: "p", workerType: "process", stage: .submitted,
            transitions: RunTransitions())
        #expect(entry.json["deaths"] == nil && entry.json["work"] == nil)
        #expect(try LedgerEntry(json: JSONFields(entry.json)).deaths == 0)
        entry.deaths = 1
        entry.work = .configuring
        #expect(try LedgerEntry(json: JSONFields(entry.json)) == entry)
        for (written, read) in [(JSONValue.int(-3), 0), (.int(.max), 100), ("x", 0), (.null, 0)] {
            var row = entry.json
            row["deaths"] = written
            row["work"] = "juggling"
            let found = try LedgerEntry(json: JSONFields(row))
            #expect(found.deaths == read && found.work == nil)
        }
    }
}
