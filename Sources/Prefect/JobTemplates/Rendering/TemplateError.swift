internal import PrefectJSON

/// The reason why a job template could not be turned into a job configuration.
///
/// The message is one line and names only keys, placeholders and documents. It contains no value of a template, a job
/// variable, a block or a variable, since any of them may be a secret.
public struct TemplateError: Error, Sendable, CustomStringConvertible {
    /// The kind of an error, for callers that act on it.
    public enum Kind: Sendable, Hashable {
        /// The base job template does not have the required structure.
        case malformedTemplate
        /// The job variables contradict each other or are not an object.
        case malformedJobVariables
        /// A block placeholder lacks the block's type or name.
        case malformedPlaceholder
        /// A `$ref` is not an object with the id of a block document.
        case malformedReference
        /// A block document does not exist.
        case blockNotFound
        /// A block document has nothing at the placeholder's path.
        case unresolvedPath
        /// An object or an array would have to be written into the middle of a text.
        case compositeInText
        /// A block document or a variable could not be read. `cause` is the reason, and a later attempt may succeed.
        case lookupFailed
        /// A field of the rendered configuration has a value of the wrong type.
        case invalidField
        /// The value is nested too deep.
        case tooDeep
        /// The placeholders expand to more text than a configuration may have.
        case tooLarge
    }

    /// The kind of the error.
    public let kind: Kind
    /// The path of the key that caused the error, like `job_configuration.env.FOO`.
    public let path: String
    /// The placeholder that caused the error, like `{{ prefect.blocks.secret.token }}`, if one did.
    public let placeholder: String?
    /// A description of the problem.
    public let problem: String
    /// The action that can help the user.
    public let remedy: String
    /// The error of the API, when a lookup failed.
    public let cause: (any Error)?

    /// Creates an error. Line breaks and control characters become spaces in every part, and long parts are shortened.
    public init(
        _ kind: Kind, path: String, placeholder: String? = nil, problem: String, remedy: String,
        cause: (any Error)? = nil
    ) {
        self.kind = kind
        self.path = Self.singleLine(path)
        self.placeholder = placeholder.map(Self.singleLine)
        self.problem = Self.singleLine(problem)
        self.remedy = Self.singleLine(remedy)
        self.cause = cause
    }

    /// The problem and the remedy in one line.
    public var description: String {
        let subject = placeholder.map { "\($0) in \(path)" } ?? path
        let reason = cause.map { ": " + Self.singleLine(String(describing: $0)) } ?? ""
        return "\(subject): \(problem)\(reason); \(remedy)"
    }

    private static let longestPart = 300

    /// The text on one line. Characters that would break or disturb the line become spaces.
    private static func singleLine(_ text: String) -> String {
        var line = String.UnicodeScalarView()
        for (count, scalar) in text.unicodeScalars.enumerated() {
            if count == longestPart {
                line.append("…")
                break
            }
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: line.append(" ")
            default: line.append(scalar)
            }
        }
        return String(line)
    }
}

/// The position of a value in a document. Its text is built only when an error needs it.
struct TemplatePath {
    private enum Step {
        case key(String)
        case index(Int)
    }

    private let root: String
    private var steps: [Step] = []

    init(root: String) { self.root = root }

    static let jobConfiguration = TemplatePath(root: "job_configuration")

    func appending(key: String) -> TemplatePath {
        var path = self
        path.steps.append(.key(key))
        return path
    }

    func appending(index: Int) -> TemplatePath {
        var path = self
        path.steps.append(.index(index))
        return path
    }

    var depth: Int { steps.count }

    /// The deepest allowed nesting of any value. Parsed JSON is shallower. The limit keeps values that are composed
    /// here from exhausting the stack.
    static let maximumDepth = 4 * JSONValue.maximumDepth

    func checkDepth() throws(TemplateError) {
        if steps.count > Self.maximumDepth {
            throw TemplateError(
                .tooDeep, path: root, problem: "values are nested deeper than \(Self.maximumDepth) levels",
                remedy: "flatten the template or the job variables")
        }
    }

    var description: String {
        steps.reduce(into: root) { text, step in
            switch step {
            case .key(let key) where Self.isPlain(key): text += ".\(key)"
            case .key(let key): text += "[\(JSONValue.string(key).serialized())]"
            case .index(let index): text += "[\(index)]"
            }
        }
    }

    private static func isPlain(_ key: String) -> Bool {
        !key.isEmpty
            && key.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "$"),
                    0x80...:
                    true
                default: false
                }
            }
    }
}
