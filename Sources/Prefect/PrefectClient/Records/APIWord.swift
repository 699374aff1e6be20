public import PrefectJSON

/// A word of a list that later servers may extend. Words that this version does not know are kept as they are.
///
/// ```swift
/// if run.stateType == .failed { … }
/// let custom: FlowRunSort = "NAME_ASC"
/// ```
public protocol APIWord: JSONConvertible, RawRepresentable, ExpressibleByStringLiteral, CustomStringConvertible
where RawValue == String {
    /// Takes a word, known or not.
    init(rawValue: String)
    /// The words that this version knows.
    static var known: [Self] { get }
}

extension APIWord {
    /// Takes a word, known or not.
    public init(stringLiteral word: String) { self.init(rawValue: word) }

    /// Reads a word, known or not.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        guard case .string(let word) = jsonValue else { throw .mismatch("a string", jsonValue) }
        self.init(rawValue: word)
    }

    /// The word as JSON.
    public var jsonValue: JSONValue { .string(rawValue) }

    /// The empty word.
    public static var jsonPlaceholder: Self { Self(rawValue: "") }

    /// The word.
    public var description: String { rawValue }

    /// Whether this version knows the word.
    public var isKnown: Bool { Self.known.contains(self) }
}
