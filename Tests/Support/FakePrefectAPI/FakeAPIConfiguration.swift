public import FoundationEssentials

/// The behaviour of a ``FakePrefectAPI``; can be changed at any time with ``FakePrefectAPI/configure(_:)``.
public struct FakeAPIConfiguration: Sendable {
    /// Whether changing requests need a CSRF token.
    public enum CSRF: Sendable, Hashable {
        /// `GET /csrf-token` answers 422, as a server without CSRF protection does; nothing is checked.
        case disabled
        /// The server issues and checks tokens; a token is valid for `lifetime`.
        case enabled(lifetime: Duration = .seconds(3600))
        /// The route does not exist (404), as in Prefect Cloud; nothing is checked.
        case absent
    }

    /// The base path of the API's routes.
    public var basePath = "/api"
    /// Whether changing requests need a CSRF token.
    public var csrf = CSRF.disabled
    /// Whether heartbeats answer as Prefect Cloud does: 200 and the worker's id, when `return_id` requests it.
    public var isCloud = false
    /// The required value of the `Authorization` header; `nil` accepts every request.
    public var authorization: String?
    /// The largest number of objects in one answer. A request for more is a 422, as with the server's limit of 200.
    public var pageLimit = 200
    /// The version in the answer to `GET /admin/version`.
    public var version = "3.8.8"
    /// How many seconds a run waits before it requests a slot of its deployment's limit again.
    public var slotWaitSeconds = 30.0
    /// The server's clock.
    public var now: @Sendable () -> Date = { Date() }

    /// The default server: without CSRF protection and authorization.
    public init() {}
}
