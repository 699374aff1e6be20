/// A setting from the worker's surroundings that a backend reads, for `prefect-worker settings` and the documentation.
public struct BackendSetting: Sendable, Hashable {
    /// The environment variables that set it; earlier ones take precedence.
    public let variables: [String]
    /// Its key in `prefect.toml`, when it is a setting of a Prefect integration.
    public let key: String?
    /// The expected form of a value, such as `a path`.
    public let expectation: String
    /// The value that applies while no source sets it; `nil` if there is none, or if ``meaning`` states it.
    public let defaultText: String?
    /// The effect of the setting, in Markdown.
    public let meaning: String

    /// The expectation of a setting whose value is never shown.
    public static let secret = "a secret"

    /// Whether the value is never shown.
    public var isSecret: Bool { expectation == Self.secret }

    /// A setting.
    public init(
        _ variables: String..., key: String? = nil, expects expectation: String, default defaultText: String? = nil,
        _ meaning: String
    ) {
        self.init(
            variables: variables, key: key, expectation: expectation, defaultText: defaultText, meaning: meaning)
    }

    /// A setting.
    public init(variables: [String], key: String?, expectation: String, defaultText: String?, meaning: String) {
        self.variables = variables
        self.key = key
        self.expectation = expectation
        self.defaultText = defaultText
        self.meaning = meaning
    }
}
