internal import Glibc

/// Whether log lines are coloured.
package enum LogColors {
    /// Returns `true` for a terminal that supports colours (`TERM` is not `dumb`), unless the user has refused them.
    ///
    /// - Parameters:
    ///   - descriptor: The destination of the lines.
    ///   - isEnabled: Whether `PREFECT_LOGGING_COLORS` and `PREFECT_CLI_COLORS` both allow colours.
    ///   - environment: The environment with `NO_COLOR` (any value but the empty one refuses colours) and `TERM`.
    package static func areWanted(
        descriptor: Int32 = 2, isEnabled: Bool, environment: [String: String]
    ) -> Bool {
        guard isEnabled, environment["NO_COLOR", default: ""].isEmpty, environment["TERM"] != "dumb" else {
            return false
        }
        return isatty(descriptor) == 1
    }
}
