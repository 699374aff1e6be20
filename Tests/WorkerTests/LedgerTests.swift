import Foundation
import JSON
import Synchronization
import TestSupport
import Testing

@testable import Worker

@Suite("The ledger")
struct LedgerTests {
    private let directory: TemporaryDirectory
    private let notices = Notices()

    init() throws { directory = try TemporaryDirectory() }

    private final class Notices: Sendable {
        private let texts = Mutex<[String]>([])
        var all: [String] { texts.withLock { $0 } }
        func add(_ text: String) { texts.withLock { $0.append(text) } }
    }

    private func ledger() -> RunLedger { RunLedger(directory: directory.path) { [notices] in notices.add($0) } }

    private func entry(_ id: String, _ stage: RunStage = .due) -> LedgerEntry {
        LedgerEntry(
            flowRunID: id, flowRunName: "name of \(id)", api: "http://api", pool: "p", workerType: "process",
            stage: stage,
            transitions: RunTransitions(), isSettled: true,
            identifier: InfrastructureIdentifier(rawValue: "42", handle: ["start_time": 7]),
            exit: ExitStatus(
                code: -9, conclusion: .stateReported(type: "FAILED", name: "Oh"), lastOutput: "a\nb", reason: "memory"))
    }

    private var file: String { directory.path + "/ledger.sqlite" }

    @Test("what is written is read again, to the last field")
    func roundTrip() async throws {
        let before = entry("a", .running)
        await ledger().record([before, entry("b")], durably: true)
        let after = ledger()
        #expect(after.entries.first { $0.flowRunID == "a" } == before)
        #expect(after.entries.count == 2)
        #expect(try RunLedger.entries(inDirectory: directory.path).count == 2)
        await after.remove("a")
        #expect(ledger().entries.map(\.flowRunID) == ["b"])
        #expect(notices.all.isEmpty)
    }

    @Test("nobody else can read it")
    func permissions() async throws {
        let ledger = ledger()
        await ledger.record([entry("a")])
        for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) {
            let mode = try FileManager.default.attributesOfItem(atPath: directory.path + "/" + name)[.posixPermissions]
            #expect(mode as? Int == 0o600)
        }
    }

    @Test("a corrupt file is moved aside and a new one begun", arguments: ["no database at all", "damaged"])
    func corrupt(how: String) async throws {
        await ledger().record([entry("a")])
        if how == "damaged" {
            var data = try Data(contentsOf: URL(filePath: file))
            for index in 100..<data.count { data[index] = 0xAA }
            try data.write(to: URL(filePath: file))
        } else {
            try Data(String(repeating: how, count: 300).utf8).write(to: URL(filePath: file))
        }
        for companion in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file + companion) }
        let fresh = ledger()
        await fresh.record([entry("b")])
        #expect(ledger().entries.map(\.flowRunID) == ["b"])
        #expect(notices.all.count == 1 && notices.all[0].contains("is corrupt: it was moved to"))
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(names.contains { $0.hasPrefix("ledger.sqlite.corrupt-") })
    }

    @Test("without a place to write to the worker goes on, says so once, and writes everything down when it can")
    func unwritable() async throws {
        let blocked = directory.path + "/state"
        try Data().write(to: URL(filePath: blocked))
        let ledger = RunLedger(directory: blocked) { [notices] in notices.add($0) }
        await ledger.record([entry("a")])
        await ledger.record([entry("b")])
        #expect(ledger.entries.count == 2)
        #expect(notices.all.count == 1 && notices.all[0].contains("cannot be written"))
        try FileManager.default.removeItem(atPath: blocked)
        try FileManager.default.createDirectory(atPath: blocked, withIntermediateDirectories: false)
        await ledger.record([entry("c")])
        #expect(try Set(RunLedger.entries(inDirectory: blocked).map(\.flowRunID)) == ["a", "b", "c"])
        #expect(notices.all.count == 2 && notices.all[1].contains("can be written again"))
    }

    @Test("a row that cannot be read is dropped, and the others are not")
    func unreadableRow() async throws {
        await ledger().record([entry("a"), entry("b")])
        let database = directory.path + "/ledger.sqlite"
        let tool = Process()
        tool.executableURL = URL(filePath: "/usr/bin/env")
        tool.arguments = [
            "python3", "-c",
            "import sqlite3; c = sqlite3.connect('\(database)'); c.execute(\"update run set entry = '{}' where id = 'a'\"); c.commit()",
        ]
        try tool.run()
        tool.waitUntilExit()
        #expect(ledger().entries.map(\.flowRunID) == ["b"])
        #expect(notices.all.count == 1)
    }
}

@Suite("The state directory")
struct StateDirectoryTests {
    @Test("it belongs to one worker, and others are told whose it is")
    func exclusive() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/deep/state"
        var first: StateDirectory? = try StateDirectory.take(path, for: "worker 'one' (pid 1)")
        #expect(throws: StateDirectory.Problem.held(path: path, by: "worker 'one' (pid 1)")) {
            _ = try StateDirectory.take(path, for: "worker 'two'")
        }
        #expect(first?.path == path)
        first = nil
        #expect(throws: Never.self) { _ = try StateDirectory.take(path, for: "worker 'two'") }
    }

    @Test("where any will do, each worker takes the first that nobody has")
    func free() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/pool"
        var first: StateDirectory? = try StateDirectory.takeFree(path, for: "one")
        let second = try StateDirectory.takeFree(path, for: "two")
        #expect([first?.path, second.path] == [path, path + ".2"])
        first = nil
        #expect(try StateDirectory.takeFree(path, for: "three").path == path)
    }

    @Test("a place that cannot be written is said to be so")
    func unusable() throws {
        #expect(throws: StateDirectory.Problem.self) { _ = try StateDirectory.take("/proc/nowhere", for: "one") }
    }
}
