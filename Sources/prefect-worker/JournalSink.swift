import BackendKit
import Systemd
import WorkerKit
import WorkerLogging

/// Writes the output of runs into the journal, with one entry for each line. The entries have their own identifier and
/// the run's id. So `journalctl FLOW_RUN_ID=…` shows them, regardless of which process of the worker wrote them.
struct JournalSink: OutputSink {
    let journal: JournalSocket
    /// Returns the pool of a run.
    let pool: @Sendable (_ flowRunID: String) -> ServedPool?

    /// The identifier of the entries.
    static let identifier = "prefect-run"

    func write(_ bytes: ArraySlice<UInt8>, of source: OutputSource, waitingUpTo limit: Duration) -> Int? {
        let pool = pool(source.flowRunID)
        var patience = Int32(clamping: Int(limit / .milliseconds(1)))
        var rest = bytes
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            if journal.send(entry(rest[..<end], source, pool), waitingUpTo: patience) == .full { break }
            patience = 0
            rest = rest[end...].dropFirst()
        }
        return bytes.count - rest.count
    }

    private func entry(_ line: ArraySlice<UInt8>, _ source: OutputSource, _ pool: ServedPool?) -> [UInt8] {
        var entry = JournalEntry(
            message: line, priority: JournalEntry.Priority(ofPrinted: line), identifier: Self.identifier)
        entry.add("FLOW_RUN_ID", source.flowRunID.utf8)
        entry.add("FLOW_RUN_NAME", source.flowRunName.utf8)
        entry.add("STREAM", source.stream.rawValue.utf8)
        if let pool {
            entry.add("WORK_POOL", pool.name.utf8)
            entry.add("WORKER", pool.workerName.utf8)
        }
        return entry.encoded
    }
}
