import BackendKit
import Foundation
import Logging
import PrefectClient
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import WorkerKit

@Suite("Runs during which the worker dies repeatedly", .serialized)
struct PoisonTests {
    /// Provides a fake API with a pool, a backend, and a parent directory for state directories.
    private func withLives(
        _ backend: FakeBackend = FakeBackend(),
        _ body: (FakePrefectAPI, FakeDeployment, FakeBackend, Lives) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        try await withPool { api, deployment in
            try await body(api, deployment, backend, Lives(directory: directory))
        }
    }

    /// The state directories of successive processes. ``die()`` copies the current one, so that the next process finds
    /// the state of a predecessor that died at that moment.
    private final class Lives: Sendable {
        private let directory: TemporaryDirectory
        private let number = Mutex(0)

        init(directory: TemporaryDirectory) { self.directory = directory }

        var current: String { number.withLock { "\(directory.path)/\($0)" } }

        func die() throws {
            let (old, new) = number.withLock { number in
                defer { number += 1 }
                return ("\(directory.path)/\(number)", "\(directory.path)/\(number + 1)")
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

        /// The runs with two deaths. Work in progress counts as one death.
        var deadTwice: [String] {
            get throws { try RunLedger.entries(inDirectory: current).filter { $0.deaths == 2 }.map(\.flowRunID) }
        }
    }

    @Test("a run on which the worker died twice is not tried again, and the other runs start")
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
                try await eventually("both runs are being started") { backend.startCount == 2 }
                for id in [run, innocent] { #expect(try lives.entry(id)?.deaths == 1) }
                try lives.die()
            }
            isFirstLife.withLock { $0 = false }
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                try await eventually("the run is being started again") {
                    let atWork = try lives.deadTwice
                    // The worker works on runs with deaths one after the other, never on both at once.
                    #expect(atWork.count <= 1)
                    return atWork == [run]
                }
                try await eventually("the ledger notes the start") { try lives.entry(run)?.work == .starting }
                try lives.die()
            }
            let starts = backend.started.count { $0 == run }
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { subject in
                try await api.waitUntil("the crash is reported") { $0.run(run)?.stateType == .crashed }
                try await api.waitUntil("the other run has started") { $0.run(innocent)?.infrastructurePID != nil }
                try await eventually("the other run has no deaths any more") { try lives.entry(innocent)?.deaths == 0 }
                try await eventually("the worker no longer holds the run") { !subject.worker.registry.contains(run) }
                #expect(try lives.entry(run) == nil)
            }
            let message = try #require(api.run(run)?.state?.message)
            #expect(message.contains("died twice while it was creating its infrastructure"))
            #expect(backend.started.count { $0 == run } == starts)
            #expect(backend.watched.contains(innocent))
        }
    }

    @Test("a run that was only watched is not blamed for the worker's deaths, however many")
    func watched() async throws {
        try await withLives { api, deployment, backend, lives in
            try lives.prepare()
            let run = api.scheduleRun(deployment: deployment)
            for life in 1...4 {
                try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                    try await eventually("the run is watched") { backend.watched.count == life }
                    try await eventually("no work on the run counts as a death") { try lives.entry(run)?.deaths == 0 }
                    try lives.die()
                }
            }
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { subject in
                try await eventually("the run is watched") { backend.watched.count == 5 }
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

    @Test("an orderly exit of the worker during the start of a run does not count as a death")
    func orderly() async throws {
        try await withLives(Self.hangingBackend()) { api, deployment, backend, lives in
            try lives.prepare()
            let run = api.scheduleRun(deployment: deployment)
            for life in 1...3 {
                try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                    try await eventually("the run is being started") { backend.startCount == life }
                }
                #expect(try lives.entry(run)?.deaths == 0)
            }
        }
    }

    @Test("a run is not blamed for a death after its start has taken longer than the work patience")
    func slow() async throws {
        try await withLives(Self.hangingBackend()) { api, deployment, backend, lives in
            try lives.prepare()
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(
                api, backend: backend, workPatience: .milliseconds(50), stateDirectory: lives.current
            ) { _ in
                try await eventually("the run is being started") { backend.startCount == 1 }
                try await eventually("the ledger withdraws the death") { try lives.entry(run)?.deaths == 0 }
                #expect(try lives.entry(run)?.stage == .submitted)
            }
        }
    }

    /// Starts a run and records it in the ledger, with this number of deaths of the worker. Returns the run's id.
    private func runAndDie(
        _ deaths: Int, _ api: FakePrefectAPI, _ deployment: FakeDeployment, _ backend: FakeBackend, _ lives: Lives
    ) async throws -> String {
        try lives.prepare()
        let run = api.scheduleRun(deployment: deployment)
        try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
            try await eventually("the run is watched") { backend.watched == [run] }
            try await api.waitUntil("the infrastructure is recorded") { $0.run(run)?.infrastructurePID != nil }
            try lives.die()
        }
        api.setState(of: run, to: .running)
        var entry = try #require(try lives.entry(run))
        entry.deaths = deaths
        entry.work = .recovering
        await RunLedger(directory: lives.current, logger: CapturedLog().logger).record([entry])
        return run
    }

    @Test("the infrastructure of a run that is given up is stopped without preparing its configuration")
    func stopped() async throws {
        try await withLives { api, deployment, backend, lives in
            let run = try await runAndDie(2, api, deployment, backend, lives)
            let contexts = backend.contexts.count
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { subject in
                try await api.waitUntil("the crash is reported") { $0.run(run)?.stateType == .crashed }
                try await eventually("the worker no longer holds the run") { !subject.worker.registry.contains(run) }
                try await api.waitUntil("the run's log reports the stop") {
                    $0.logMessages(of: run).contains { $0.contains("Infrastructure 'fake:\(run)' was stopped") }
                }
            }
            #expect(backend.calls.contains(.stop(run, grace: .seconds(5), .shutdown)))
            #expect(!backend.calls.contains(.adopt(run)))
            #expect(backend.contexts.count == contexts)
            #expect(try lives.entry(run) == nil)
        }
    }

    @Test("the resources of a run that is given up are removed although its infrastructure has already ended")
    func ended() async throws {
        try await withLives { api, deployment, backend, lives in
            let run = try await runAndDie(2, api, deployment, backend, lives)
            backend.script { $0.stopErrors = [InfrastructureError(.notFound, "it is gone")] }
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                try await api.waitUntil("the crash is reported") { $0.run(run)?.stateType == .crashed }
                try await eventually("the resources are removed") { backend.calls.contains(.cleanUp(run)) }
                try await eventually("the ledger no longer holds the run") { try lives.entry(run) == nil }
            }
        }
    }

    @Test("infrastructure is not stopped when the worker has also died while stopping it, and the log reports this")
    func left() async throws {
        try await withLives { api, deployment, backend, lives in
            let run = try await runAndDie(3, api, deployment, backend, lives)
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                try await api.waitUntil("the crash is reported") { $0.run(run)?.stateType == .crashed }
                try await api.waitUntil("the run's log reports the infrastructure") {
                    $0.logMessages(of: run).contains { $0.contains("may still run: find it") }
                }
            }
            #expect(!backend.calls.contains(.stop(run, grace: .seconds(5), .shutdown)))
            #expect(try lives.entry(run) == nil)
        }
    }

    @Test("the crash of a run that is given up is reported, however often workers have died", arguments: [4, 40])
    func reported(deaths: Int) async throws {
        try await withLives { api, deployment, backend, lives in
            let run = try await runAndDie(deaths, api, deployment, backend, lives)
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { subject in
                try await api.waitUntil("the crash is reported") { $0.run(run)?.stateType == .crashed }
                try await eventually("the ledger no longer holds the run") { try lives.entry(run) == nil }
            }
            #expect(!backend.calls.contains(.stop(run, grace: .seconds(5), .shutdown)))
        }
    }

    @Test("a run that is given up while it is being cancelled ends as cancelled")
    func cancelled() async throws {
        try await withLives { api, deployment, backend, lives in
            let run = try await runAndDie(2, api, deployment, backend, lives)
            api.setState(of: run, to: .cancelling)
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                try await api.waitUntil("the run is cancelled") { $0.run(run)?.stateType == .cancelled }
                try await eventually("the ledger no longer holds the run") { try lives.entry(run) == nil }
            }
        }
    }

    @Test("a death before the crash report is accepted does not count, and a later worker reports the crash")
    func diesOfReport() async throws {
        try await withLives { api, deployment, backend, lives in
            let run = try await runAndDie(2, api, deployment, backend, lives)
            let script = api.script(path: "/flow_runs/\(run)/set_state", answer: .status(503))
            for _ in 0..<3 {
                try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                    let uses = script.uses
                    try await eventually("the crash is being reported") { script.uses > uses }
                    try lives.die()
                }
                #expect(try lives.entry(run)?.deaths == 2)
            }
            script.end()
            try await withWorker(api, backend: backend, stateDirectory: lives.current) { _ in
                try await api.waitUntil("the crash is reported") { $0.run(run)?.stateType == .crashed }
                try await eventually("the ledger no longer holds the run") { try lives.entry(run) == nil }
            }
            #expect(backend.calls.contains(.stop(run, grace: .seconds(5), .shutdown)))
        }
    }

    @Test("a ledger row without deaths has the form of older workers, and a row with invalid deaths is readable")
    func rows() throws {
        var entry = LedgerEntry(
            flowRunID: "a", flowRunName: "b", api: "http://api", pool: "p", workerType: "process", stage: .submitted,
            transitions: ClaimIDs(by: ClaimOwner(workerName: "tester")))
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
