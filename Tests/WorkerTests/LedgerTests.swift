import BackendKit
import Foundation
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import WorkerKit

@Suite("The ledger")
struct LedgerTests {
    private let directory: TemporaryDirectory
    private let log = CapturedLog()

    init() throws { directory = try TemporaryDirectory() }

    private func ledger() -> RunLedger { RunLedger(directory: directory.path, logger: log.logger) }

    private func entry(_ id: String, _ stage: RunStage = .due) -> LedgerEntry {
        LedgerEntry(
            flowRunID: id, flowRunName: "name of \(id)", api: "http://api", pool: "p", workerType: "process",
            stage: stage,
            transitions: ClaimIDs(by: ClaimOwner(workerName: "tester")), isSettled: true,
            identifier: InfrastructureIdentifier(rawValue: "42", handle: ["start_time": 7]),
            exit: ExitStatus(
                code: -9, conclusion: .stateReported(type: "FAILED", name: "Oh"), lastOutput: "a\nb", reason: "memory"))
    }

    private var file: String { directory.path + "/ledger.sqlite" }

    @Test("an entry that is written is read again with every field")
    func roundTrip() async throws {
        let before = entry("a", .running)
        await ledger().record([before, entry("b")], durably: true)
        let after = ledger()
        #expect(after.entries.first { $0.flowRunID == "a" } == before)
        #expect(after.entries.count == 2)
        #expect(try RunLedger.entries(inDirectory: directory.path).count == 2)
        await after.remove("a")
        #expect(ledger().entries.map(\.flowRunID) == ["b"])
        #expect(log.messages().isEmpty)
    }

    @Test("a row with arbitrary text is a run in flight or is rejected", .timeLimit(.minutes(Fuzz.minutes)))
    func anyRow() async throws {
        let good = entry("a", .running).json
        try await Fuzz.run(mostCases: 4000) { random in
            guard let json = try? JSONValue(parsing: random.spoiled(good)), let fields = try? JSONFields(json),
                let read = try? LedgerEntry(json: fields)
            else { return }
            let again = try LedgerEntry(json: JSONFields(JSONValue(parsing: read.json.serialized())))
            try Fuzz.require(again == read, "\(read) is \(again) when it is read again")
            var position = OutputPosition(text: random.damaged("1 2 9223372036854775807"))
            _ = position?.admits(OutputTime(seconds: 1, nanoseconds: 2))
        }
    }

    @Test("a log position with an impossible count is rejected")
    func position() {
        #expect(OutputPosition(text: "1 2 9223372036854775807") == nil)
        var position = OutputPosition(text: "1 2 2147483646")
        #expect(position?.admits(OutputTime(seconds: 1, nanoseconds: 2)) == true)
        #expect(position?.admits(OutputTime(seconds: 1, nanoseconds: 2)) == true)
    }

    @Test(
        "another kind of file in place of the ledger or its companion files does not block the ledger",
        arguments: ["", "-wal", "-shm"])
    func foreign(companion: String) async throws {
        #expect(mkfifo(file + companion, 0o600) == 0)
        await ledger().record([entry("a")])
        #expect(ledger().entries.map(\.flowRunID) == ["a"])
        #expect(try RunLedger.entries(inDirectory: directory.path).count == 1)
    }

    @Test("a symbolic link in place of the lock file is not followed")
    func linkedLock() throws {
        let victim = directory.path + "/victim"
        try "kept".write(toFile: victim, atomically: true, encoding: .utf8)
        #expect(symlink(victim, directory.path + "/lock") == 0)
        #expect(throws: StateDirectory.Problem.self) { try StateDirectory.take(directory.path, for: "me") }
        #expect(try String(contentsOfFile: victim, encoding: .utf8) == "kept")
    }

    @Test("only the owner can read the ledger's files")
    func permissions() async throws {
        let ledger = ledger()
        await ledger.record([entry("a")])
        for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) {
            let mode = try FileManager.default.attributesOfItem(atPath: directory.path + "/" + name)[.posixPermissions]
            #expect(mode as? Int == 0o600)
        }
    }

    @Test("a corrupt file is moved aside and a new one is begun", arguments: ["no database at all", "damaged"])
    func corrupt(how: String) async throws {
        await ledger().record([entry("a")])
        try await eventually("the ledger is closed") { !FileManager.default.fileExists(atPath: file + "-wal") }
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
        #expect(log.messages().count == 1 && log.messages()[0].contains("is corrupt: it was moved to"))
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(names.contains { $0.hasPrefix("ledger.sqlite.corrupt-") })
    }

    @Test("an unwritable ledger is reported once, and all runs are written as soon as the directory can be written")
    func unwritable() async throws {
        let blocked = directory.path + "/state"
        try Data().write(to: URL(filePath: blocked))
        let ledger = RunLedger(directory: blocked, logger: log.logger)
        await ledger.record([entry("a")])
        await ledger.record([entry("b")])
        #expect(ledger.entries.count == 2)
        #expect(log.messages().count == 1 && log.messages()[0].contains("cannot be written"))
        try FileManager.default.removeItem(atPath: blocked)
        try FileManager.default.createDirectory(atPath: blocked, withIntermediateDirectories: false)
        await ledger.record([entry("c")])
        #expect(try Set(RunLedger.entries(inDirectory: blocked).map(\.flowRunID)) == ["a", "b", "c"])
        #expect(log.messages().count == 2 && log.messages()[1].contains("can be written again"))
    }

    @Test("a row that cannot be read is dropped, and the other rows are kept")
    func unreadableRow() async throws {
        await ledger().record([entry("a"), entry("b")])
        // A child process could hold the lock of another test's directory for a moment, so this test starts none.
        try SQLiteConnection(path: file).execute("UPDATE run SET entry = '{}' WHERE id = 'a'")
        #expect(ledger().entries.map(\.flowRunID) == ["b"])
        #expect(log.messages().count == 1)
    }
}

@Suite("The state directory")
struct StateDirectoryTests {
    @Test("a state directory belongs to one worker, and the error for other workers names its owner")
    func exclusive() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/deep/state"
        var first: StateDirectory? = try StateDirectory.take(path, for: "worker 'one' (pid 1)")
        #expect(throws: StateDirectory.Problem.inUse(path: path, by: "worker 'one' (pid 1)")) {
            _ = try StateDirectory.take(path, for: "worker 'two'")
        }
        #expect(first?.path == path)
        first = nil
        #expect(throws: Never.self) { _ = try StateDirectory.take(path, for: "worker 'two'") }
    }

    @Test("each worker that accepts any directory takes the first free one")
    func free() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/pool"
        var first: StateDirectory? = try StateDirectory.takeFree(path, for: "one")
        let second = try StateDirectory.takeFree(path, for: "two")
        #expect([first?.path, second.path] == [path, path + ".2"])
        first = nil
        #expect(try StateDirectory.takeFree(path, for: "three").path == path)
    }

    @Test("a directory that cannot be written causes an error")
    func unusable() throws {
        #expect(throws: StateDirectory.Problem.self) { _ = try StateDirectory.take("/proc/nowhere", for: "one") }
    }
}
