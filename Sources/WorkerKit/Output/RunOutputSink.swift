package import BackendKit
internal import Notation
internal import PrefectJSON
internal import Synchronization

/// Standard output and standard error as the destination for the output of runs, in a different form.
package final class RunOutputSink: OutputSink {
    /// The form in which the worker prints the output of runs.
    package enum Form: Sendable, Hashable {
        /// A JSON object for each line, with the run's id: `timestamp`, `level`, `logger`, `message`, `flow_run_id`,
        /// `flow_run_name` and `stream`.
        case json
        /// Unchanged lines, except that they control the terminal only by colours.
        case terminal
    }

    /// A line of which the descriptor has accepted a part.
    private struct Unfinished {
        let source: OutputSource
        /// How many bytes of the run's output the line has.
        let count: Int
        var rest: ArraySlice<UInt8>
    }

    private struct State {
        var unfinished: Unfinished?
        /// How many bytes of a source the call for another source has completed.
        var finished: [OutputSource: Int] = [:]
    }

    private let form: Form
    private let output: any OutputSink
    private let errors: any OutputSink
    private let outputState = Mutex(State())
    private let errorState = Mutex(State())

    /// A sink of a form, with the destinations of its bytes.
    package init(
        form: Form, output: any OutputSink = DescriptorSink.standardOutput,
        errors: any OutputSink = DescriptorSink.standardError
    ) {
        self.form = form
        self.output = output
        self.errors = errors
    }

    package func write(_ bytes: ArraySlice<UInt8>, of source: OutputSource, waitingUpTo limit: Duration) -> Int? {
        switch source.stream {
        case .output: outputState.withLock { write(bytes, source, limit, to: output, &$0) }
        case .errors: errorState.withLock { write(bytes, source, limit, to: errors, &$0) }
        }
    }

    private func write(
        _ bytes: ArraySlice<UInt8>, _ source: OutputSource, _ limit: Duration, to sink: any OutputSink,
        _ state: inout State
    ) -> Int? {
        // A line that was begun is completed before another line begins.
        if var unfinished = state.unfinished {
            guard flush(&unfinished.rest, source, limit, to: sink) else { return nil }
            state.unfinished = unfinished.rest.isEmpty ? nil : unfinished
            guard state.unfinished == nil else { return 0 }
            state.finished[unfinished.source] = unfinished.count
        }
        var rest = bytes.dropFirst(state.finished.removeValue(forKey: source) ?? 0)
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? rest.endIndex
            let line = rendered(rest[..<end], source)
            var unwritten = line[...]
            guard flush(&unwritten, source, limit, to: sink) else { return nil }
            guard unwritten.isEmpty else {
                if unwritten.count < line.count {
                    state.unfinished = Unfinished(source: source, count: end - rest.startIndex, rest: unwritten)
                }
                break
            }
            rest = rest[end...]
        }
        return bytes.count - rest.count
    }

    /// Writes as many bytes as the sink accepts; `false` when the sink is broken.
    private func flush(
        _ bytes: inout ArraySlice<UInt8>, _ source: OutputSource, _ limit: Duration, to sink: any OutputSink
    ) -> Bool {
        while !bytes.isEmpty {
            guard let count = sink.write(bytes, of: source, waitingUpTo: limit) else { return false }
            if count == 0 { break }
            bytes = bytes.dropFirst(count)
        }
        return true
    }

    private func rendered(_ line: ArraySlice<UInt8>, _ source: OutputSource) -> [UInt8] {
        switch form {
        case .json:
            var text = line[...]
            if text.last == UInt8(ascii: "\n") { text.removeLast() }
            if text.last == UInt8(ascii: "\r") { text.removeLast() }
            let record: JSONValue = [
                "timestamp": .string(Timestamp.now.apiFormat), "level": "INFO", "logger": "prefect.flow_run_output",
                "message": .string(String(decoding: text, as: UTF8.self)),
                "flow_run_id": .string(source.flowRunID), "flow_run_name": .string(source.flowRunName),
                "stream": .string(source.stream.rawValue),
            ]
            return record.serializedBytes() + [UInt8(ascii: "\n")]
        case .terminal:
            return TerminalBytes.harmless(line)
        }
    }
}

/// Makes the output of programs safe for a terminal.
enum TerminalBytes {
    /// The bytes with every control character escaped, except ends of lines, tabs, backspaces and the sequences that
    /// colour text.
    static func harmless(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var position = bytes.startIndex
        while position < bytes.endIndex {
            let byte = bytes[position]
            switch byte {
            case 0x1B:
                if let end = endOfColour(bytes[position...]) {
                    output += bytes[position..<end]
                    position = end
                    continue
                }
                output += Array("\\x1b".utf8)
            case 0x08, 0x09, 0x0A, 0x0D: output.append(byte)
            case 0x00..<0x20, 0x7F: output += escape(byte)
            case 0xC2 where position + 1 < bytes.endIndex && (0x80..<0xA0).contains(bytes[position + 1]):
                // A control character of the C1 set, in UTF-8.
                output += escape(bytes[position + 1])
                position += 1
            default: output.append(byte)
            }
            position += 1
        }
        return output
    }

    private static func escape(_ byte: UInt8) -> [UInt8] {
        Array("\\x\(hexadecimal(byte, width: 2))".utf8)
    }

    /// The end of a sequence that only sets colours and weights, if one begins here.
    private static func endOfColour(_ bytes: ArraySlice<UInt8>) -> Int? {
        let parameters = bytes.dropFirst(2)
        guard bytes.dropFirst().first == UInt8(ascii: "["),
            let end = parameters.firstIndex(where: { !("0123456789;:".utf8.contains($0)) }),
            bytes[end] == UInt8(ascii: "m")
        else { return nil }
        return end + 1
    }
}
