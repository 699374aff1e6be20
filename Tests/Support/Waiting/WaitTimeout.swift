/// Something a test waited for did not happen in time.
public struct WaitTimeout: Error, CustomStringConvertible {
    /// What should have happened.
    public let what: String
    /// How long it was waited for.
    public let timeout: Duration
    /// How things stood at the end.
    public let detail: String

    /// A failure of waiting.
    public init(what: String, timeout: Duration, detail: String = "") {
        self.what = what
        self.timeout = timeout
        self.detail = detail
    }

    public var description: String {
        "waited \(timeout) in vain: \(what)" + (detail.isEmpty ? "" : "; \(detail)")
    }
}
