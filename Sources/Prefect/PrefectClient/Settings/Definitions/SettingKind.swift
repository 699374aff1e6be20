/// The form of a setting's value. Where a kind accepts text, TOML may also give the value in its own types.
package enum SettingKind: Sendable, Hashable {
    /// `true`/`false`, `1`/`0`, `yes`/`no`, `on`/`off`, `t`/`f`, `y`/`n`, in any case.
    case bool
    /// A whole number.
    case int(SettingBounds = .none)
    /// A number.
    case float(SettingBounds = .none)
    /// Any text.
    case string
    /// Any text, which is never shown.
    case secret
    /// A path without expansion of `~` or variables.
    case path
    /// A path whose leading `~` means the user's home directory.
    case home
    /// A path in which `$PREFECT_HOME` means Prefect's home directory.
    case profilesPath
    /// `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`, in any case.
    case logLevel
    /// One of these words.
    case choice([String])
    /// A time span in ISO 8601 (`PT20S`) or as a clock (`01:30:00`). A number in TOML counts as seconds.
    case duration
    /// A time span in seconds or as ``duration``; longer than `above` if that is given.
    case seconds(above: Duration? = nil)
    /// HTTP status codes: `504`, `504,500` or a JSON list.
    case statusCodes
    /// Words, separated by commas or as a JSON list.
    case stringSet
    /// A JSON object of strings or a TOML table.
    case stringMap
    /// A JSON object or a TOML table of positive time spans.
    case durationMap
    /// Seconds to wait before a retry: a number or a JSON list of numbers.
    case retryDelay
    /// As ``retryDelay``; also numbers separated by commas, and an empty text for no value.
    case retryDelayList
    /// A switch, or the words that are switched on.
    case switchOrSet
    /// Anything.
    case anything

    /// Whether text in the environment is first read as JSON.
    var acceptsJSON: Bool {
        switch self {
        case .statusCodes, .stringSet, .stringMap, .durationMap, .retryDelay, .retryDelayList, .switchOrSet: true
        default: false
        }
    }

    /// Whether the members from several sources are merged.
    var isMap: Bool { self == .stringMap || self == .durationMap }

    /// Whether a rejected value may be quoted to the user. Only kinds whose values cannot contain a credential qualify.
    var isQuotable: Bool {
        switch self {
        case .string, .secret, .stringMap, .anything, .path, .home, .profilesPath: false
        default: true
        }
    }

    /// The phrase that follows "expected".
    package var expectation: String {
        switch self {
        case .bool: "true or false"
        case .int(let bounds): "a whole number" + bounds.expectation
        case .float(let bounds): "a number" + bounds.expectation
        case .string, .secret: "a string"
        case .path, .home, .profilesPath: "a path"
        case .logLevel: "DEBUG, INFO, WARNING, ERROR or CRITICAL"
        case .choice(let words): words.joined(separator: " or ")
        case .duration: "a time span such as PT20S or 00:00:20"
        case .seconds(let above):
            "a number of seconds or a time span such as PT20S"
                + (above.map { ", longer than \($0.iso8601)" } ?? "")
        case .statusCodes: "HTTP status codes from 100 to 599, separated by commas"
        case .stringSet: "words separated by commas, or a list of strings"
        case .stringMap: "a JSON object or a table whose values are strings"
        case .durationMap: "a JSON object or a table whose values are positive time spans"
        case .retryDelay: "a number of seconds or a JSON list of them"
        case .retryDelayList: "a number of seconds or several, separated by commas"
        case .switchOrSet: "true, false or words separated by commas"
        case .anything: "a value"
        }
    }
}

/// The range of a number.
package struct SettingBounds: Sendable, Hashable {
    /// The lower end.
    let minimum: Double?
    /// Whether the lower end itself is allowed.
    let includesMinimum: Bool
    /// The upper end, which is allowed itself.
    let maximum: Double?

    /// Any number.
    package static let none = SettingBounds(minimum: nil, includesMinimum: true, maximum: nil)

    static func atLeast(_ minimum: Double) -> SettingBounds { between(minimum, nil) }

    static func above(_ minimum: Double, upTo maximum: Double? = nil) -> SettingBounds {
        SettingBounds(minimum: minimum, includesMinimum: false, maximum: maximum)
    }

    static func between(_ minimum: Double, _ maximum: Double?) -> SettingBounds {
        SettingBounds(minimum: minimum, includesMinimum: true, maximum: maximum)
    }

    /// Whether the number is in the range. NaN is in no range that has an end.
    func contains(_ number: Double) -> Bool {
        if let minimum, !(includesMinimum ? number >= minimum : number > minimum) { return false }
        if let maximum, !(number <= maximum) { return false }
        return true
    }

    var expectation: String {
        let lower = minimum.map { includesMinimum ? " of at least \(Self.text($0))" : " above \(Self.text($0))" } ?? ""
        guard let maximum else { return lower }
        return lower.isEmpty ? " of at most \(Self.text(maximum))" : "\(lower) and at most \(Self.text(maximum))"
    }

    private static func text(_ number: Double) -> String {
        Int(exactly: number).map(String.init) ?? number.description
    }
}
