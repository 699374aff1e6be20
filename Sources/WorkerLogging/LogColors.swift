internal import Glibc

/// Whether log lines are coloured.
public enum LogColors {
    /// Colours are for terminals that know them (`TERM` is not `dumb`), and only if the user has not refused them.
    ///
    /// - Parameters:
    ///   - descriptor: Where the lines go.
    ///   - isEnabled: `PREFECT_LOGGING_COLORS` and `PREFECT_CLI_COLORS`, both.
    ///   - environment: For `NO_COLOR` (any value but the empty one refuses colours) and `TERM`.
    public static func areWanted(
        descriptor: Int32 = 2, isEnabled: Bool, environment: [String: String]
    ) -> Bool {
        guard isEnabled, environment["NO_COLOR", default: ""].isEmpty, environment["TERM"] != "dumb" else {
            return false
        }
        return isatty(descriptor) == 1
    }
}
