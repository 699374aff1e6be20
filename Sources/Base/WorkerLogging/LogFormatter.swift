internal import Logging
internal import OrderedCollections
internal import PrefectJSON
package import Systemd

/// The format of the log.
package enum LogFormat: Sendable, Hashable {
    /// `HH:MM:SS.mmm | LEVEL   | logger - message`, in local time. The level is coloured when `colors` is set. A record
    /// is one line: line breaks in a message are escaped, because the message may quote outside text.
    case human(colors: Bool)
    /// One JSON object per line: `timestamp` (RFC 3339, UTC), `level`, `logger`, `message` and the members of the
    /// metadata.
    case json
    /// An entry of systemd's journal, with `PRIORITY`, `LOGGER` and a field for each member of the metadata. The field
    /// names are in capitals, like `FLOW_RUN_ID`. The entry goes to the socket instead of the descriptor.
    case journal(JournalSocket)
}

/// Renders records as lines or entries. Each text is redacted before it is escaped or truncated. Otherwise, a secret
/// with a quote or a newline would no longer be recognised.
struct LogFormatter: Sendable {
    /// The maximum number of bytes of a message. Longer messages are truncated, so that one line can never fill the
    /// queue.
    static let longestMessage = 256 * 1024

    let format: LogFormat
    let redact: @Sendable (String) -> String

    /// Returns the record as the bytes of a line with its newline, or of an entry.
    func line(_ record: LogRecord) -> [UInt8] {
        let text: String
        switch format {
        case .human(let colors): text = humanLine(record, colors: colors)
        case .json: text = jsonLine(record)
        case .journal: return journalEntry(record)
        }
        return Array(text.utf8) + [UInt8(ascii: "\n")]
    }

    // MARK: For people

    private func humanLine(_ record: LogRecord, colors: Bool) -> String {
        let name = record.level.prefectName
        // The level has seven columns, the length of WARNING.
        let padding = String(repeating: " ", count: max(0, 7 - name.utf8.count))
        let level = colors ? "\u{1B}[\(record.level.terminalStyle)m\(name)\u{1B}[0m" : name
        let source: String
        if let run = record.metadata[LogContextKey.flowRunName] {
            source = "Flow run '\(text(run).escapedForTerminal())'"
        } else {
            source = redact(record.logger).escapedForTerminal()
        }
        var line = "\(record.time.localTimeOfDay) | \(level)\(padding) | \(source) - "
        line += prepared(record.message).escapedForTerminal()
        let details = record.metadata.filter { !LogContextKey.all.contains($0.key) }
        guard !details.isEmpty else { return line }
        let list = details.sorted { $0.key < $1.key }.map { key, value in
            "\(key)=\(text(value))".escapedForTerminal()
        }
        return line + " [" + list.joined(separator: ", ") + "]"
    }

    /// Returns a text without quotes, and any other value as JSON. The texts in it are redacted before they are
    /// escaped.
    private func text(_ value: Logger.MetadataValue) -> String {
        let value = json(value)
        return value.stringValue ?? value.serialized(.compact)
    }

    // MARK: For programs

    private func jsonLine(_ record: LogRecord) -> String {
        var members: OrderedDictionary<String, JSONValue> = [
            "timestamp": .string(record.time.millisecondFormat),
            "level": .string(record.level.prefectName),
            "logger": .string(redact(record.logger)),
            "message": .string(prepared(record.message)),
        ]
        for key in LogContextKey.all {
            if let value = record.metadata[key] { members[key] = json(value) }
        }
        for (key, value) in record.metadata.sorted(by: { $0.key < $1.key }) where !LogContextKey.all.contains(key) {
            // The four members above are reserved for the line itself.
            members[members[key] == nil ? key : "metadata.\(key)"] = json(value)
        }
        return JSONValue.object(members).serialized(.compact)
    }

    private func journalEntry(_ record: LogRecord) -> [UInt8] {
        var entry = JournalEntry(
            message: prepared(record.message).escapedForTerminal().utf8, priority: record.level.journalPriority,
            identifier: "prefect-worker"
        )
        entry.add("LOGGER", redact(record.logger).utf8)
        for (key, value) in record.metadata.sorted(by: { $0.key < $1.key }) { entry.add(key, text(value).utf8) }
        return entry.encoded
    }

    private func json(_ value: Logger.MetadataValue) -> JSONValue {
        switch value {
        case .string(let text): return .string(prepared(text))
        case .stringConvertible(let number as Int): return .int(number)
        case .stringConvertible(let truth as Bool): return .bool(truth)
        case .stringConvertible(let other): return .string(prepared(other.description))
        case .array(let elements): return .array(elements.map(json))
        case .dictionary(let members):
            let sorted = members.sorted { $0.key < $1.key }.map { ($0.key, json($0.value)) }
            return .object(OrderedDictionary(sorted, uniquingKeysWith: { first, _ in first }))
        }
    }

    private func prepared(_ text: String) -> String {
        redact(text).truncated(toBytes: Self.longestMessage)
    }
}
