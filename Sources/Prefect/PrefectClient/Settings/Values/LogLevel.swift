extension PrefectSettings {
    /// The log levels of Prefect's settings, from the most to the least verbose.
    public enum LogLevel: String, Sendable, Hashable, CaseIterable, Comparable {
        /// Everything.
        case debug
        /// Normal operation.
        case info
        /// Conditions that may need attention.
        case warning
        /// Failures.
        case error
        /// Failures that stop the program.
        case critical

        /// The level as Prefect spells it: `DEBUG`.
        public var name: String { rawValue.uppercased() }

        /// Reads the name of a level, in any case.
        public init?(name: String) {
            self.init(rawValue: name.lowercased())
        }

        /// Whether the first level is the more verbose one.
        public static func < (first: LogLevel, second: LogLevel) -> Bool {
            let levels = LogLevel.allCases
            return levels.firstIndex(of: first) ?? 0 < levels.firstIndex(of: second) ?? 0
        }
    }
}
