internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
public import PrefectJSON
internal import Synchronization

/// A small Kubernetes API server on a real socket, in plain text. It has objects with versions, paged lists, watches
/// with bookmarks, logs and access reviews, as far as a worker uses them. It also causes the faults that can occur with
/// these.
public final class FakeKubernetesAPI: Sendable {
    /// A recorded request.
    public struct Request: Sendable, Hashable {
        public let method: String
        /// The path without the query.
        public let path: String
        public let query: [String: String]
        public let authorization: String?
        public let body: JSONValue
    }

    /// A fault: the treatment of a request instead of its answer.
    public enum Fault: Sendable, Hashable {
        /// The request is not carried out and receives this answer, as a `Status`.
        case answer(Int, reason: String = "", message: String = "", retryAfter: Int? = nil)
        /// The request is carried out, and the connection ends without an answer.
        case loseAnswer
        /// The request is not carried out, and the connection ends.
        case drop
        /// The request is neither carried out nor answered.
        case ignore
        /// The watch or the list ends after this number of bytes.
        case cut(afterBytes: Int)
    }

    struct State: Sendable {
        var objects: [ObjectKey: JSONValue] = [:]
        /// The past changes of objects, for watches that begin later.
        var history: [Happening] = []
        var version = 1
        /// The oldest version that is still known.
        var oldest = 0
        var requests: [Request] = []
        var faults: [(pattern: RequestPattern, fault: Fault, left: Int?)] = []
        var watchers: [ObjectIdentifier: Watcher] = [:]
        var channels: [ObjectIdentifier: any Channel] = [:]
        /// The log texts of pods, by `namespace/pod`.
        var logs: [String: String] = [:]
        /// The actions that are forbidden to every user: `verb resource`, for example `list pods` or `get pods/log`.
        var forbidden: Set<String> = []
        var tokens: Set<String>?
        var areWatchesSilent = false
        var serial = 0
    }

    struct ObjectKey: Sendable, Hashable, Comparable {
        let resource: String
        let namespace: String
        let name: String

        static func < (left: ObjectKey, right: ObjectKey) -> Bool {
            (left.resource, left.namespace, left.name) < (right.resource, right.namespace, right.name)
        }
    }

    struct Happening: Sendable {
        let version: Int
        let type: String
        let key: ObjectKey
        let object: JSONValue
    }

    struct Watcher: Sendable {
        let resource: String
        let namespace: String
        let channel: any Channel
    }

    let state = Mutex(State())
    let changes = Changes()
    private let reservation: PortReservation
    private let listener = Mutex<(any Channel)?>(nil)

    private init() throws { reservation = try PortReservation() }

    /// The server's address.
    public var url: String { "http://127.0.0.1:\(reservation.port)" }

    /// A kubeconfig for the server as JSON, which is also YAML.
    public func kubeconfig(token: String = "t0k3n") -> String {
        let config: JSONValue = [
            "current-context": "fake", "clusters": [["name": "fake", "cluster": ["server": .string(url)]]],
            "users": [["name": "u", "user": ["token": .string(token)]]],
            "contexts": [["name": "fake", "context": ["cluster": "fake", "user": "u", "namespace": "default"]]],
        ]
        return config.serialized()
    }

    fileprivate static func start() async throws -> FakeKubernetesAPI {
        let api = try FakeKubernetesAPI()
        try await api.listen()
        return api
    }

    private func listen() async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(FakeKubernetesConnection(api: self))
                }
            }
            .bind(host: "127.0.0.1", port: reservation.port).get()
        listener.withLock { $0 = channel }
    }

    /// Stops listening and ends every connection.
    public func goAway() async {
        let channel = listener.withLock { listener in
            defer { listener = nil }
            return listener
        }
        await channel?.stopListening()
        for channel in state.withLock({ Array($0.channels.values) }) { try? await channel.close().get() }
    }

    /// Listens again, at the same address.
    public func comeBack() async throws { try await listen() }

    // MARK: Inspection and control by tests

    /// The requests so far.
    public var requests: [Request] { state.withLock { $0.requests } }

    /// The requests so far with a method and an end of the path.
    public func requests(_ method: String, _ pathEnd: String) -> [Request] {
        requests.filter { $0.method == method && $0.path.hasSuffix(pathEnd) }
    }

    /// Causes a fault for the next requests that match, `times` of them or all.
    public func fail(_ pattern: RequestPattern, _ fault: Fault, times: Int? = 1) {
        state.withLock { $0.faults.append((pattern, fault, times)) }
    }

    /// Ends all faults.
    public func heal() { state.withLock { $0.faults = [] } }

    /// Forbids actions to every user: `verb resource`, or `verb resource in the cluster` but not in a namespace.
    /// Answers to access reviews also use `verb resource in NAMESPACE`.
    public func forbid(_ actions: String...) { state.withLock { $0.forbidden.formUnion(actions) } }

    /// Accepts only these tokens.
    public func accept(tokens: Set<String>) { state.withLock { $0.tokens = tokens } }

    /// Sets the log of a pod or of one of its containers, with the times that logs have. `previous` sets the log of a
    /// container before its restart.
    public func setLog(
        _ text: String, namespace: String, pod: String, container: String? = nil, previous: Bool = false
    ) {
        let key = ["\(namespace)/\(pod)", container, previous ? "previous" : nil].compactMap(\.self)
        state.withLock { $0.logs[key.joined(separator: "/")] = text }
    }

    /// Ends all watches as a server does after their time limit.
    public func endWatches() { endWatches(sending: nil) }

    /// Discards the past changes, and reports that to all watches.
    public func expire() {
        state.withLock { state in
            state.version += 1
            state.oldest = state.version
        }
        endWatches(
            sending: [
                "type": "ERROR",
                "object": ["kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"],
            ])
    }

    /// Stops or resumes the events of watches, which stay open. Open watches never receive the events of the silent
    /// period; a watch that begins later does.
    public func silenceWatches(_ isSilent: Bool) { state.withLock { $0.areWatchesSilent = isSilent } }

    /// The number of open watches.
    public var openWatches: Int { state.withLock { $0.watchers.count } }

    /// Waits until a condition on the server holds.
    public func waitUntil(
        _ what: String, timeout: Duration = .seconds(30), isolation: isolated (any Actor)? = #isolation,
        _ condition: (FakeKubernetesAPI) -> Bool
    ) async throws {
        let found = try await changes.wait(timeout: timeout) { condition(self) ? true : nil }
        if found == nil {
            let last = requests.suffix(8).map { "\($0.method) \($0.path)" }
            throw WaitTimeout(what: what, timeout: timeout, detail: "the last requests are \(last)")
        }
    }

    private func endWatches(sending event: JSONValue?) {
        let watchers = state.withLock { state in
            defer { state.watchers = [:] }
            return state.watchers.values
        }
        for watcher in watchers { FakeKubernetesConnection.end(watcher.channel, sending: event) }
    }
}

/// Runs `body` with its own server, and stops that server afterwards.
public func withFakeKubernetesAPI<Result>(
    isolation: isolated (any Actor)? = #isolation, _ body: (FakeKubernetesAPI) async throws -> Result
) async throws -> Result {
    let api = try await FakeKubernetesAPI.start()
    do {
        let result = try await body(api)
        await api.goAway()
        return result
    } catch {
        await api.goAway()
        throw error
    }
}
