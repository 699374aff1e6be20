/// A text that must not be shown: it is masked wherever a value is printed, dumped or mirrored.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let text: String

    /// Wraps a text.
    public init(_ text: String) {
        self.text = text
    }

    /// The text that replaces a secret.
    public static let mask = "********"

    /// The text itself, only for the code that sends it.
    public func reveal() -> String { text }

    /// Whether the text is empty.
    public var isEmpty: Bool { text.isEmpty }

    /// The mask, whatever the text is.
    public var description: String { Self.mask }
    /// The mask, whatever the text is.
    public var debugDescription: String { Self.mask }
    /// A mirror without children, so that `dump` shows the mask too.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
