package import Logging
internal import Systemd

extension Logger.Level {
    /// The level for a name of the setting `PREFECT_LOGGING_LEVEL`: DEBUG, INFO, WARNING, ERROR or CRITICAL, in any
    /// case. The result is `nil` for every other name.
    package init?(prefectName name: String) {
        switch name.uppercased() {
        case "DEBUG": self = .debug
        case "INFO": self = .info
        case "WARNING": self = .warning
        case "ERROR": self = .error
        case "CRITICAL": self = .critical
        default: return nil
        }
    }

    /// The name that Prefect gives this level. Prefect does not know `trace` and `notice`, so they have the name of a
    /// neighbouring level.
    package var prefectName: String {
        switch self {
        case .trace, .debug: "DEBUG"
        case .info, .notice: "INFO"
        case .warning: "WARNING"
        case .error: "ERROR"
        case .critical: "CRITICAL"
        }
    }

    /// The severity of this level in the journal.
    var journalPriority: JournalEntry.Priority {
        switch self {
        case .trace, .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        case .critical: .critical
        }
    }

    /// The parameters of the terminal's "select graphic rendition" sequence for this level's name.
    var terminalStyle: String {
        switch self {
        case .trace, .debug: "2"
        case .info, .notice: "36"
        case .warning: "33"
        case .error: "31"
        case .critical: "1;31"
        }
    }
}
