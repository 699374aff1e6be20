internal import BackendKit
internal import CLinux
internal import Glibc
internal import PrefectConcurrency
internal import PrefectFiles
internal import PrefectJSON
internal import Systemd

/// Copies the output of runs from the journal to the worker's own output, and continues where an earlier process
/// stopped. The directories of units state whose output is copied. Output that the sink does not take waits in the
/// journal.
final class OutputCopier: Sendable {
    private struct State {
        /// The number of the last request to copy all output, and the number of the last completed request.
        var asked = 0
        var done = 0
        var isStopped = false
        /// The units whose output was requested at their end, and when. Their directories may be gone.
        var ended: [String: ContinuousClock.Instant] = [:]
    }

    /// For how long after the end of a unit the journal may receive its last lines.
    private static let lateness = Duration.seconds(60)

    private let root: String
    private let unitField: String
    private let sink: any OutputSink
    private let wakeUp: Int32
    /// No output from before is copied, unless an earlier process recorded how far it had copied.
    private let start = Timestamp.now
    private let state = ObservedValue(State())

    /// - Parameters:
    ///   - root: The parent of the directories of units.
    ///   - kind: The manager that the units belong to.
    ///   - sink: The destination of the output.
    init?(root: String, kind: Bus.Kind, sink: any OutputSink) {
        wakeUp = clinux_eventfd(1)
        guard wakeUp >= 0 else { return nil }
        self.root = root
        self.sink = sink
        unitField = kind == .system ? "_SYSTEMD_UNIT" : "_SYSTEMD_USER_UNIT"
    }

    deinit { close(wakeUp) }

    /// Copies until the task is cancelled. Returns `false` when this user may not read a journal.
    func run() async -> Bool {
        await withTaskCancellationHandler {
            let couldRead = await onThread("journal-output") { self.copy() } ?? false
            // Without the thread, output is not copied any more, and nothing is to be waited for.
            state.update { $0.isStopped = true }
            return couldRead
        } onCancel: {
            state.update { $0.isStopped = true }
            signal()
        }
    }

    /// Waits until the output so far has been copied; returns `false` when that takes longer than `limit`. Lines of a
    /// unit that has ended are also copied when a slow journal receives them a little later.
    @discardableResult
    func catchUp(after ended: UnitName? = nil, within limit: Duration) async -> Bool {
        let number = state.update { state in
            if let ended {
                let now = ContinuousClock.now
                state.ended = state.ended.filter { now - $0.value < Self.lateness }
                state.ended[ended.name] = now
            }
            state.asked += 1
            return state.asked
        }
        signal()
        await state.wait(by: .now + limit) { $0.done >= number || $0.isStopped }
        let (done, isStopped) = (state.value.done, state.value.isStopped)
        return done >= number || isStopped
    }

    // MARK: On the thread

    /// The file, beside the directories of units, that records how far the output has been copied.
    private static let mark = "printed"
    /// The first character of a mark that is a time in microseconds instead of a journal's cursor.
    private static let timeSign: Character = "@"

    private func record(_ mark: String) { RegularFile.replace(Self.mark, below: root, with: Array(mark.utf8)) }

    private func resume(_ journal: JournalReader, at mark: String) {
        if mark.first == Self.timeSign, let time = UInt64(mark.dropFirst()) { return journal.seek(toTime: time) }
        journal.seek(to: mark)
        // The entry of the cursor has been copied. If it no longer exists, the next entry has not been copied.
        if journal.next(), journal.cursor != mark { _ = journal.previous() }
    }

    private func copy() -> Bool {
        let matches = ["SYSLOG_IDENTIFIER=\(TransientUnit.identifier)", "_TRANSPORT=stdout"]
        guard let journal = JournalReader(matches: matches) else { return false }
        if let bytes = RegularFile.read(Self.mark, below: root, limit: 4096) {
            resume(journal, at: String(decoding: bytes, as: UTF8.self))
        } else {
            // The first line of a run may already be in the journal.
            journal.seek(toTime: UInt64(clamping: start.microseconds))
            record("\(Self.timeSign)\(start.microseconds)")
        }
        while true {
            let (asked, isStopped) = (state.value.asked, state.value.isStopped)
            if isStopped { return true }
            copyNew(journal)
            state.update { $0.done = asked }
            guard journal.wait(orFor: wakeUp) else { return false }
            var counter: UInt64 = 0
            _ = read(wakeUp, &counter, 8)
        }
    }

    private func copyNew(_ journal: JournalReader) {
        var wanted: [String: Bool] = [:]
        var last: String?
        while !state.value.isStopped, journal.next() {
            if let name = journal.field(unitField) {
                let isWanted = wanted[name] ?? copies(name)
                wanted[name] = isWanted
                if isWanted, let message = journal.field("MESSAGE") {
                    let source = OutputSource(
                        flowRunID: journal.field("FLOW_RUN_ID") ?? "",
                        flowRunName: journal.field("FLOW_RUN_NAME") ?? "",
                        stream: .output)
                    guard write(Array("\(message)\n".utf8), of: source) else { break }
                }
            }
            last = journal.cursor
        }
        if let last { record(last) }
    }

    private func copies(_ name: String) -> Bool {
        guard let unit = UnitName(name) else { return false }
        return UnitDirectory(of: unit, in: root).streams || state.value.ended[name] != nil
    }

    /// Writes all bytes; returns `false` when the copying was stopped before the sink took them.
    private func write(_ bytes: [UInt8], of source: OutputSource) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            // A broken sink counts as a sink that takes everything.
            guard let count = sink.write(rest, of: source, waitingUpTo: .milliseconds(500)) else { return true }
            rest = rest.dropFirst(count)
            if count == 0, state.value.isStopped { return false }
        }
        return true
    }

    private func signal() {
        var one: UInt64 = 1
        _ = Glibc.write(wakeUp, &one, 8)
    }
}
