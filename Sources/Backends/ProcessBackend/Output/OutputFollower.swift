internal import BackendKit
internal import CLinux
internal import Glibc
internal import PrefectFiles
internal import Synchronization

/// Copies a file with the output of a run to a sink, while the run writes the file.
///
/// The file outlives the worker. A run whose worker has died continues to print, and the next worker continues to copy
/// where the last one stopped. The space of copied output is returned to the file system, except for the end of the
/// file, which explains a crash.
final class OutputFollower: Sendable {
    /// The result of ``copySome(to:)``.
    enum Progress {
        case idle
        case more
        case ended
    }

    /// The number of bytes at the end of a file that are kept.
    static let tailSize: Int64 = 8 << 10
    /// The maximum number of bytes of one file that are copied at a time, and of a line that is kept whole.
    static let chunkSize = 64 << 10

    struct Limits {
        /// The number of copied bytes that may occupy space before the space is freed.
        var copied: Int64 = 1 << 20
        /// The same limit where the file system cannot free a part of a file.
        var copiedWithoutHoles: Int64 = 64 << 20
        /// The number of bytes that may wait for a sink that takes none.
        var backlog: Int64 = 256 << 20
        /// The number of bytes that are copied after the end of the run, whose descendants may still write.
        var afterEnd: Int64 = 256 << 20
    }

    private struct State {
        var position: Int64
        var punched: Int64 = 0
        var canPunch = true
        var isFinished = false
        /// The number of bytes that may still be copied once the run has ended.
        var allowance: Int64
        /// The position at which the copying ends, once it is known.
        var end: Int64?
        var isQueued = false
        /// The end of the file at the time when the file had to be emptied.
        var savedTail: [UInt8] = []

        /// Skips all but the last chunk of a file of this size, and ends the copying there. Returns the number of
        /// skipped bytes.
        mutating func cutOff(at size: Int64) -> Int64 {
            end = size
            let start = max(position, size - Int64(OutputFollower.chunkSize))
            defer { position = start }
            return start - position
        }
    }

    private let descriptor: Descriptor
    /// The directory and the name of the file that records the progress.
    private let progress: (directory: String, name: String)?
    private let slot: Int
    let source: OutputSource
    private let limits: Limits
    private let state: Mutex<State>

    /// Follows a file from the position where an earlier follower stopped.
    /// - Parameters:
    ///   - file: The path of the file below `directory`. The run may have replaced it, so only a regular file is followed.
    ///   - directory: A directory of the run.
    ///   - progressName: The file in `directory` that records how far the file has been copied; `nil` to record nothing.
    ///   - slot: The index of this follower's position in that file.
    ///   - source: The run and the stream of the file.
    init?(
        _ file: String, below directory: String, progressName: String?, slot: Int, source: OutputSource,
        limits: Limits = Limits()
    ) {
        guard let descriptor = RegularFile.open(file, below: directory, O_RDWR) else { return nil }
        self.descriptor = descriptor
        progress = progressName.map { (directory, $0) }
        self.slot = slot
        self.source = source
        self.limits = limits
        var position: Int64 = 0
        if let progressName, let notes = RegularFile.open(progressName, below: directory, O_RDWR | O_CREAT),
            let bytes = readBytes(notes, limit: 64), bytes.count >= (slot + 1) * 8
        {
            for byte in bytes[(slot * 8)..<(slot * 8 + 8)].reversed() { position = position << 8 | Int64(byte) }
        }
        state = Mutex(State(position: max(0, position), allowance: limits.afterEnd))
    }

    /// Follows an output file of a run.
    convenience init?(
        _ name: String, of directory: RunDirectory, progressName: String?, slot: Int, source: OutputSource
    ) {
        self.init(
            "\(RunDirectory.outputName)/\(name)", below: directory.path, progressName: progressName, slot: slot,
            source: source)
    }

    /// Marks the follower as queued; returns `false` when it already is.
    func markQueued() -> Bool {
        state.withLock { state in
            defer { state.isQueued = true }
            return !state.isQueued
        }
    }

    /// Records that no further output is expected.
    func finish() {
        state.withLock { $0.isFinished = true }
    }

    /// Returns the last lines of the file: at most 20 lines and 8 KiB.
    func tail() -> String? {
        let saved = state.withLock { $0.savedTail }
        var bytes = saved + read(from: max(0, size() - Self.tailSize), count: Int(Self.tailSize))
        if bytes.count > Int(Self.tailSize) {
            bytes.removeFirst(bytes.count - Int(Self.tailSize))
        }
        return Self.lastLines(of: bytes, isCut: size() > Self.tailSize || !saved.isEmpty)
    }

    static func lastLines(of bytes: [UInt8], isCut: Bool, count: Int = 20) -> String? {
        // Freed space reads as zeros.
        var rest = bytes.drop(while: { $0 == 0 })
        let wasCut = isCut || rest.startIndex > 0
        // A partial character is not shown, and neither is a partial line when whole lines exist.
        if wasCut, let end = rest.firstIndex(of: UInt8(ascii: "\n")), end + 1 < rest.endIndex {
            rest = rest[(end + 1)...]
        } else if wasCut {
            rest = rest.drop(while: { $0 & 0xC0 == 0x80 })
        }
        while let last = rest.last,
            last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") || last == UInt8(ascii: " ")
        {
            rest.removeLast()
        }
        let lines = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).suffix(count)
        let text = String(decoding: Array(lines.joined(separator: [UInt8(ascii: "\n")])), as: UTF8.self)
        return text.isEmpty ? nil : text
    }

    // MARK: - Copying, by one thread

    /// Copies at most one chunk, in whole lines if possible. A sink of `nil` means that the output has no reader.
    func copySome(to write: ((ArraySlice<UInt8>) -> Void)?) -> Progress {
        // The flag is cleared before the file is read, so that a later write queues the follower again.
        state.withLock { $0.isQueued = false }
        let size = size()
        let (start, isFinished, dropped, end) = state.withLock { state in
            // The run has emptied its own file, as a redirection to /dev/stderr does.
            if size < state.position { state.position = 0 }
            state.punched = min(state.punched, state.position)
            let dropped = state.isFinished && state.end == nil && state.allowance <= 0 ? state.cutOff(at: size) : 0
            return (state.position, state.isFinished, dropped, state.end)
        }
        var position = start
        var progress = Progress.idle
        if write == nil || end.map({ start >= $0 }) == true {
            position = size
        } else if let write {
            if dropped > 0 {
                write(
                    Array(
                        "[\(source.flowRunName): \(dropped) bytes of output were dropped, since the run has ended]\n"
                            .utf8
                    )[...])
            }
            let data = nextData(from: start, size: size)
            position = data.start
            var bytes = data.bytes
            if let end = bytes.lastIndex(where: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
                bytes = bytes[...end]
            } else if bytes.count < Self.chunkSize, !isFinished, !data.isBeforeHole {
                bytes = []
            }
            if !bytes.isEmpty {
                write(bytes)
                if isFinished { state.withLock { $0.allowance -= Int64(bytes.count) } }
            }
            // If only zeros remain before a hole, they are skipped.
            position = bytes.count == data.bytes.count && data.isBeforeHole ? data.end : position + Int64(bytes.count)
            if !bytes.isEmpty || position > data.start {
                // The first line of the next run must begin on a new line.
                if isFinished, position >= size, bytes.last != UInt8(ascii: "\n") { write([UInt8(ascii: "\n")]) }
                progress = .more
            }
        }
        if progress == .idle, isFinished { progress = .ended }
        var state = self.state.withLock { state in
            // A part of the backlog may have been dropped meanwhile.
            state.position = max(state.position, position)
            return state
        }
        giveBack(&state, size: size, write: write)
        self.state.withLock { current in
            current.position = state.position
            current.punched = state.punched
            current.canPunch = state.canPunch
            current.savedTail = state.savedTail
        }
        if state.position != start { note(state.position) }
        return progress
    }

    /// Drops the oldest output when more than the allowed backlog waits for a blocked sink. Returns a notice for the
    /// sink, if output was dropped.
    func dropBacklog() -> String? {
        let size = size()
        let dropped: Int64 = state.withLock { state in
            let waiting = size - state.position
            guard waiting > limits.backlog else { return 0 }
            let kept = limits.backlog / 2
            let start = state.position
            state.position = size - kept
            if clinux_punch_hole(descriptor.raw, start, state.position - start) == 0 { state.punched = state.position }
            return state.position - start
        }
        guard dropped > 0 else { return nil }
        return
            "[\(source.flowRunName): \(dropped) bytes of output were dropped, since the worker's own output was blocked]\n"
    }

    private func giveBack(_ state: inout State, size: Int64, write: ((ArraySlice<UInt8>) -> Void)?) {
        let end = (state.position - Self.tailSize) & ~4095
        if state.canPunch, end - state.punched >= limits.copied {
            if clinux_punch_hole(descriptor.raw, state.punched, end - state.punched) == 0 {
                state.punched = end
            } else {
                state.canPunch = false
            }
        }
        if !state.canPunch, state.position == size, size >= limits.copiedWithoutHoles {
            // A line that is written between the last read and this call is lost, so the output contains a notice.
            state.savedTail = read(from: size - Self.tailSize, count: Int(Self.tailSize))
            if ftruncate(descriptor.raw, 0) == 0 {
                state.position = 0
                write?(
                    Array("[\(source.flowRunName): the output's file was emptied; a line may be missing here]\n".utf8)[
                        ...])
            }
        }
    }

    private func note(_ position: Int64) {
        guard let progress,
            // Only `init` creates the file. If this function created it, it could appear in a directory that is being
            // removed.
            let file = RegularFile.open(progress.name, below: progress.directory, O_WRONLY)
        else { return }
        var value = position.littleEndian
        _ = pwrite(file.raw, &value, 8, off_t(slot * 8))
    }

    /// The bytes of the file that are copied next.
    private struct Data {
        /// The position of the bytes, and the position where the next search begins. The search begins after the bytes,
        /// or after the zeros that follow them.
        var start: Int64
        var end: Int64
        var bytes: ArraySlice<UInt8>
        var isBeforeHole = false
    }

    /// Returns the next bytes to copy, at most one chunk. Holes of any size are skipped.
    private func nextData(from offset: Int64, size: Int64) -> Data {
        let found = clinux_seek_data(descriptor.raw, offset)
        // ENXIO means that no data follows. With any other error, the file system does not support holes.
        if found < 0, errno == ENXIO { return Data(start: max(offset, size), end: max(offset, size), bytes: []) }
        let start = max(found, offset)
        let hole = found < 0 ? -1 : clinux_seek_hole(descriptor.raw, start)
        let length = hole > start ? min(hole - start, Int64(Self.chunkSize)) : Int64(Self.chunkSize)
        let bytes = read(from: start, count: Int(length))
        var data = Data(start: start, end: start + Int64(bytes.count), bytes: bytes[...])
        data.isBeforeHole = hole > start && hole < size && data.end == hole
        // Holes begin and end at blocks, so the unwritten parts of those blocks are zeros.
        if data.isBeforeHole { data.bytes = data.bytes.dropLast(data.bytes.reversed().prefix { $0 == 0 }.count) }
        if start > offset {
            let zeros = data.bytes.prefix { $0 == 0 }.count
            data.bytes = data.bytes.dropFirst(zeros)
            data.start += Int64(zeros)
        }
        return data
    }

    private func size() -> Int64 {
        var status = stat()
        return fstat(descriptor.raw, &status) == 0 ? Int64(status.st_size) : 0
    }

    private func read(from offset: Int64, count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = max(0, pread(descriptor.raw, buffer.baseAddress, count, off_t(offset)))
        }
    }
}
