public import FoundationEssentials
internal import NIOCore
internal import NIOPosix
public import PrefectJSON
internal import Synchronization

/// A proxy between a client and a real server that causes faults.
///
/// It forwards bytes unchanged, so that it works with any server and any client. It recognises requests only where they
/// are HTTP/1 in plain text.
public final class FaultProxy: Sendable {
    /// How the proxy treats all connections; can be changed at any time.
    public enum Mode: Sendable, Hashable {
        /// Forwards.
        case pass
        /// Forwards everything after a delay, in each direction.
        case latency(Duration)
        /// Refuses new connections; existing ones continue.
        case refuse
        /// Accepts connections and bytes, and forwards nothing: a half-open connection.
        case blackHole(Direction)
        /// Ends the connection after this number of bytes of an answer.
        case cutAnswers(afterBytes: Int)
    }

    /// The direction of bytes.
    public enum Direction: Sendable, Hashable {
        /// From the client to the server.
        case requests
        /// From the server to the client.
        case answers
        /// Both.
        case both
    }

    /// A fault for a single request.
    public enum Interception: Sendable {
        /// The request reaches the server and its answer is lost: the connection ends instead.
        case loseAnswer
        /// The request does not reach the server and receives this answer; the connection continues.
        case answer(Int, headers: [(name: String, value: String)] = [], body: JSONValue? = nil)
        /// The request does not reach the server and the connection is reset.
        case reset
        /// The request reaches the server after a delay.
        case delay(Duration)
        /// The request reaches the server at another port of this machine, and so does all later data of its
        /// connection.
        case divert(toPort: Int)
    }

    /// A request that reached the proxy.
    public struct Request: Sendable, Hashable, CustomStringConvertible {
        /// The method.
        public let method: String
        /// The path with the query.
        public let path: String
        /// The number of its connection, counted from 0.
        public let connection: Int
        /// The time at which its headers were complete.
        public let time: Date

        public var description: String { "\(method) \(path)" }
    }

    struct Rule: Sendable {
        let pattern: RequestPattern
        let interception: Interception
        var remaining: Int?
        var chance: Chance?
    }

    /// A random part of all requests, which is always the same for the same seed.
    public struct Chance: Sendable {
        private let count: Int
        private var random: FuzzRandom

        /// One request in `count`.
        public static func oneIn(_ count: Int, seed: UInt64) -> Chance {
            Chance(count: count, random: FuzzRandom(seed: seed))
        }

        fileprivate mutating func isDrawn() -> Bool { random.oneIn(count) }
    }

    struct State: Sendable {
        var mode = Mode.pass
        var rules: [Rule] = []
        var requests: [Request] = []
        var connections: [Int: any Channel] = [:]
        var connectionCount = 0
        var swallowedBytes = 0
        var listener: (any Channel)?
    }

    let state = Mutex(State())
    let changes = Changes()
    let target: HTTPTarget
    private let reservation: PortReservation

    private init(target: HTTPTarget) throws {
        self.target = target
        reservation = try PortReservation()
    }

    /// Starts a proxy on a free local port for the server of a URL such as `http://127.0.0.1:4200/api`.
    public static func start(to url: String) async throws -> FaultProxy {
        let proxy = try FaultProxy(target: HTTPTarget(url))
        try await proxy.listen()
        return proxy
    }

    /// Starts a proxy on a free local port for a server.
    public static func start(host: String, port: Int) async throws -> FaultProxy {
        try await start(to: "http://\(host):\(port)")
    }

    /// The proxy's port.
    public var port: Int { reservation.port }

    /// The URL to use instead of the server's: the proxy's host and port, and the server's path.
    public var url: String { "http://127.0.0.1:\(port)\(target.path)" }

    /// Ends all connections and accepts no new ones.
    public func stop() async {
        await closeListener()
        await resetConnections()
    }

    /// Changes how the proxy treats all connections.
    public func setMode(_ mode: Mode) async throws {
        state.withLock { $0.mode = mode }
        if mode == .refuse {
            await closeListener()
        } else if state.withLock({ $0.listener == nil }) {
            try await listen()
        }
    }

    /// Resets all open connections.
    public func resetConnections() async {
        for channel in state.withLock({ Array($0.connections.values) }) {
            try? await channel.eventLoop.submit { channel.reset() }.get()
            try? await channel.closeFuture.get()
        }
    }

    /// Applies a fault to the requests that match. When several rules match, the first one that is not used up applies.
    ///
    /// - Parameters:
    ///   - method: The method; `nil` matches every method.
    ///   - path: The whole path without the query, with `*` for any text.
    ///   - times: The number of requests; `nil` means all.
    ///   - chance: The part of the matching requests that receives the fault; `nil` means all of them.
    ///   - interception: The fault.
    public func intercept(
        method: String? = nil, path: String = "*", times: Int? = nil, chance: Chance? = nil,
        _ interception: Interception
    ) {
        let rule = Rule(
            pattern: RequestPattern(method: method, path: path), interception: interception, remaining: times,
            chance: chance)
        state.withLock { $0.rules.append(rule) }
    }

    /// Forwards all requests again.
    public func endInterceptions() {
        state.withLock { $0.rules.removeAll() }
    }

    /// The number of connections that clients have made.
    public var connectionCount: Int { state.withLock { $0.connectionCount } }

    /// The number of open client connections.
    public var openConnections: Int { state.withLock { $0.connections.count } }

    /// The number of bytes that the mode `blackHole` has discarded.
    public var swallowedBytes: Int { state.withLock { $0.swallowedBytes } }

    /// All requests, including the intercepted ones, in the order of arrival.
    public var requests: [Request] { state.withLock { $0.requests } }

    /// The requests that match; the path is compared without the query.
    public func requests(_ method: String? = nil, _ path: String) -> [Request] {
        let pattern = RequestPattern(method: method, path: path)
        return requests.filter { pattern.matches(method: $0.method, path: $0.path.withoutQuery) }
    }

    /// Discards the requests so far, for tests that measure from a certain moment on.
    public func forgetRequests() {
        state.withLock { $0.requests.removeAll() }
    }

    /// Waits until a condition holds. The condition is checked again after every request and every change of a
    /// connection.
    public func waitUntil(
        _ what: String, timeout: Duration = .seconds(30), isolation: isolated (any Actor)? = #isolation,
        _ condition: (FaultProxy) throws -> Bool
    ) async throws {
        let found = try await changes.wait(timeout: timeout) { try condition(self) ? true : nil }
        if found == nil {
            throw WaitTimeout(
                what: what, timeout: timeout,
                detail: "\(connectionCount) connections, \(openConnections) open; requests: \(requests)")
        }
    }

    /// Records a request and decides which fault it receives.
    func decide(_ method: String, _ path: String, connection: Int) -> Interception? {
        defer { changes.notify() }
        return state.withLock { state in
            state.requests.append(Request(method: method, path: path, connection: connection, time: Date()))
            let index = state.rules.indices.first { index in
                let rule = state.rules[index]
                guard rule.remaining != 0, rule.pattern.matches(method: method, path: path.withoutQuery) else {
                    return false
                }
                return state.rules[index].chance?.isDrawn() ?? true
            }
            guard let index else { return nil }
            if let remaining = state.rules[index].remaining { state.rules[index].remaining = remaining - 1 }
            return state.rules[index].interception
        }
    }

    private func closeListener() async {
        let listener = state.withLock { state in
            defer { state.listener = nil }
            return state.listener
        }
        await listener?.stopListening()
    }

    private func listen() async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let link = ProxyLink(proxy: self, client: channel)
                    try channel.pipeline.syncOperations.addHandler(ProxyLink.ClientSide(link))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        state.withLock { $0.listener = channel }
    }
}

/// Runs `body` with a proxy to the server of a URL, and stops that proxy afterwards.
public func withFaultProxy<Result>(
    to url: String, isolation: isolated (any Actor)? = #isolation, _ body: (FaultProxy) async throws -> Result
) async throws -> Result {
    let proxy = try await FaultProxy.start(to: url)
    do {
        let result = try await body(proxy)
        await proxy.stop()
        return result
    } catch {
        await proxy.stop()
        throw error
    }
}

extension String {
    fileprivate var withoutQuery: String { String(prefix { $0 != "?" }) }
}
