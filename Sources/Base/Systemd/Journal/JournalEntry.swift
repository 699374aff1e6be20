/// One entry of the journal: fields with names and values, in the journal's native protocol
/// (`systemd.journal-fields(7)`).
package struct JournalEntry: Sendable, Hashable {
    /// The severity of an entry, with the numbers of `syslog(3)`.
    package enum Priority: Int, Sendable, Hashable {
        case critical = 2
        case error = 3
        case warning = 4
        case notice = 5
        case info = 6
        case debug = 7
    }

    /// The entry as a datagram.
    package private(set) var encoded: [UInt8] = []

    /// Makes an entry with a text.
    ///
    /// - Parameters:
    ///   - message: The text; it may have several lines.
    ///   - priority: The severity of the entry.
    ///   - identifier: The name of the program that writes the entry (`SYSLOG_IDENTIFIER`).
    package init(message: some Sequence<UInt8>, priority: Priority, identifier: String) {
        add("MESSAGE", message)
        add("PRIORITY", "\(priority.rawValue)".utf8)
        add("SYSLOG_IDENTIFIER", identifier.utf8)
    }

    /// Adds a field. Letters of its name become capitals. Characters other than letters, digits and `_` become `_`. A
    /// leading `_` is removed, because it marks fields of the journal itself.
    package mutating func add(_ name: String, _ value: some Sequence<UInt8>) {
        var field = name.uppercased().utf8.map { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
            default: UInt8(ascii: "_")
            }
        }[...]
        field = field.drop { $0 == UInt8(ascii: "_") }.prefix(64)
        guard let first = field.first else { return }
        // A field cannot begin with a digit.
        if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) { field = [UInt8(ascii: "F")] + field.prefix(63) }
        let value = Array(value)
        encoded += field + [UInt8(ascii: "\n")]
        withUnsafeBytes(of: UInt64(value.count).littleEndian) { encoded += $0 }
        encoded += value + [UInt8(ascii: "\n")]
    }
}
