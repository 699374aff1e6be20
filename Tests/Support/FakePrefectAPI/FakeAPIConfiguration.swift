public import FoundationEssentials

/// How a ``FakePrefectAPI`` behaves; can be changed at any time with ``FakePrefectAPI/configure(_:)``.
public struct FakeAPIConfiguration: Sendable {
    /// Whether changing requests need a CSRF token.
    public enum CSRF: Sendable, Hashable {
        /// `GET /csrf-token` answers 422, as a server does whose protection is off; nothing is checked.
        case disabled
        /// Tokens are given out and checked; one lasts as long as said here.
        case enabled(lifetime: Duration = .seconds(3600))
        /// There is no such route (404), as in Prefect Cloud; nothing is checked.
        case absent
    }

    /// The path below which the API is.
    public var basePath = "/api"
    /// Whether changing requests need a CSRF token.
    public var csrf = CSRF.disabled
    /// Whether heartbeats answer as Prefect Cloud does: 200 and the worker's id, when `return_id` asks for it.
    public var isCloud = false
    /// The value the `Authorization` header has to have; `nil` lets every request in.
    public var authorization: String?
    /// The largest number of objects one answer holds; a request for more is a 422, as with the server's 200.
    public var pageLimit = 200
    /// What `GET /admin/version` answers.
    public var version = "3.8.8"
    /// How long a run waits before it tries again for a slot of its deployment's limit.
    public var slotWaitSeconds = 30.0
    /// The server's clock.
    public var now: @Sendable () -> Date = { Date() }

    /// A server as it comes: without CSRF protection and authorization.
    public init() {}
}
