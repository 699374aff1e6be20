import BackendKit
import Foundation
import PrefectJSON
import TestSupport
import Testing

@testable import WorkerKit

@Suite("Ledgers of other versions")
struct LedgerVersionTests {
    private let directory: TemporaryDirectory
    private let log = CapturedLog()

    /// Copies the ledger that 1.0.0-rc.1 wrote.
    init() throws {
        directory = try TemporaryDirectory()
        let written = try #require(
            Bundle.module.url(forResource: "Resources/ledger-1.0.0-rc.1", withExtension: "sqlite"))
        try FileManager.default.copyItem(atPath: written.path, toPath: file)
    }

    private var file: String { directory.path + "/ledger.sqlite" }

    private func ledger() -> RunLedger { RunLedger(directory: directory.path, logger: log.logger) }

    @Test("the ledger of 1.0.0-rc.1 is read with every member, and each entry is written again as it was")
    func firstLayout() async throws {
        let ledger = ledger()
        let running = try #require(ledger.entries.first { $0.stage == .running })
        #expect(running.flowRunID == "68a87b54-7a4d-4391-afe6-129f9754e581" && running.flowRunName == "able-owl")
        #expect(running.api == "http://127.0.0.1:4200/api")
        #expect(running.pool == "etl" && running.workerType == "process")
        #expect(running.transitions.claim == "d780503f-ef8d-4fd6-94bc-75592b065aa1")
        #expect(running.transitions.submission == "97dd1e0c-40e0-4918-8600-2dcaea61f74f")
        #expect(!running.isSettled && running.due == Timestamp("2026-11-30T10:07:46.233251Z"))
        #expect(running.identifier?.rawValue == "28100" && running.identifier?.handle["start_time"] == 6_425_430)
        let ended = try #require(ledger.entries.first { $0.stage == .exited })
        #expect(ended.isSettled && ended.deaths == 1 && ended.work == .recovering)
        #expect(ended.uncertainSince == Timestamp("2026-11-30T10:08:00Z"))
        #expect(
            ended.exit
                == ExitStatus(
                    code: 137, conclusion: .stateReported(type: "CRASHED", name: "Crashed"), lastOutput: "Killed",
                    reason: "out of memory"))
        #expect(ledger.entries.count == 2 && log.messages().isEmpty)

        await ledger.record(ledger.entries)
        #expect(self.ledger().entries == ledger.entries)
    }

    @Test("a later version's tables, columns, members and layout number do not prevent that its ledger is used")
    func laterAdditions() async throws {
        let before = try SQLiteConnection(path: file)
        for statement in [
            "CREATE TABLE later (value TEXT)", "ALTER TABLE run ADD COLUMN later TEXT",
            "UPDATE run SET entry = json_set(entry, '$.later', json('{\"a\": [1]}'))", "PRAGMA user_version = 2",
        ] { try before.execute(statement) }
        let ledger = ledger()
        #expect(ledger.entries.count == 2)
        await ledger.record(ledger.entries)
        #expect(try RunLedger.entries(inDirectory: directory.path).count == 2)
        #expect(log.messages().isEmpty)
    }

    @Test("a run with a later version's stage is dropped with a warning, and the other runs are kept")
    func laterStage() throws {
        try SQLiteConnection(path: file).execute(
            "UPDATE run SET entry = json_set(entry, '$.stage', 'suspended') WHERE id LIKE '0d9c62ce%'")
        #expect(ledger().entries.map(\.flowRunName) == ["able-owl"])
        #expect(log.messages().count == 1 && log.messages()[0].hasPrefix("1 rows of the ledger"))
    }
}
