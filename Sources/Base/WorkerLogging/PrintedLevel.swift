package import Systemd

extension JournalEntry.Priority {
    /// The priority of a line that a flow run has printed.
    ///
    /// A line in Prefect's format, like `12:34:56.789 | WARNING | Flow run 'owl' - text`, has the priority of its
    /// level. All other lines are `info`.
    ///
    /// - Parameter line: The line without its line break.
    package init(ofPrinted line: some Sequence<UInt8>) {
        let fields = line.prefix(64).split(separator: UInt8(ascii: "|"), maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3, Self.isTime(fields[0]) else {
            self = .info
            return
        }
        self =
            switch String(decoding: fields[1], as: UTF8.self).trimmingPrefix(" ").prefix(while: { $0 != " " }) {
            case "CRITICAL": .critical
            case "ERROR": .error
            case "WARNING": .warning
            case "DEBUG": .debug
            default: .info
            }
    }

    /// Whether a field is `HH:MM:SS.mmm` and a space.
    private static func isTime(_ field: ArraySlice<UInt8>) -> Bool {
        field.count == 13
            && zip(field, "00:00:00.000 ".utf8).allSatisfy { byte, form in
                form == UInt8(ascii: "0") ? (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) : byte == form
            }
    }
}
