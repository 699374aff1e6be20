/// An event that a test waited for did not happen in time.
public struct WaitTimeout: Error, CustomStringConvertible {
    /// The expected event.
    public let what: String
    /// How long the test waited.
    public let timeout: Duration
    /// The state at the end.
    public let detail: String

    /// A failed wait.
    public init(what: String, timeout: Duration, detail: String = "") {
        self.what = what
        self.timeout = timeout
        self.detail = detail
    }

    public var description: String {
        "waited \(timeout) in vain: \(what)" + (detail.isEmpty ? "" : "; \(detail)")
    }
}
