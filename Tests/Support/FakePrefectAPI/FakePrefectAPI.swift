internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// A Prefect server for tests, on a real socket, with a small real state, the server's rules, and faults on request.
///
/// It speaks HTTP/1.1 on a loopback port of the system's choice. Requests change its state as they would change the
/// server's. The setup and the checks of a test bypass the socket. All members can be used from any thread.
///
///     try await withFakePrefectAPI { api in
///         let pool = api.addPool(name: "p", type: "process")
///         let run = api.scheduleRun(deployment: api.addDeployment(name: "d", pool: pool))
///         …
///         try await api.waitUntil("the run is pending") { $0.run(run)?.stateName == "Pending" }
///     }
public final class FakePrefectAPI: Sendable {
    let core: Mutex<Core>
    let changes = Changes()
    private let listener = Mutex<(any Channel)?>(nil)
    private let reservation: PortReservation

    /// The URL of the API, as a value for `PREFECT_API_URL`.
    public let url: String

    private init(core: Core, listener: any Channel, reservation: PortReservation) {
        url = "http://127.0.0.1:\(reservation.port)\(core.world.configuration.basePath)"
        self.reservation = reservation
        self.core = Mutex(core)
        self.listener.withLock { $0 = listener }
    }

    /// Starts a server on a free port.
    public static func start(configuration: FakeAPIConfiguration = FakeAPIConfiguration()) async throws
        -> FakePrefectAPI
    {
        let holder = Holder()
        let reservation = try PortReservation()
        let listener = try await bind(port: reservation.port, to: holder)
        var core = Core()
        core.world.configuration = configuration
        let api = FakePrefectAPI(core: core, listener: listener, reservation: reservation)
        holder.api.withLock { $0 = api }
        return api
    }

    /// Ends all connections, including those without an answer.
    public func stop() async {
        await goOffline()
    }

    /// Refuses connections and resets the existing ones, like a server that has ended. Keeps the state and the scripts.
    public func goOffline() async {
        let listener = listener.withLock { listener in
            defer { listener = nil }
            return listener
        }
        await listener?.stopListening()
        let connections = core.withLock { core in
            defer { core.connections.removeAll() }
            return core.connections.values
        }
        for connection in connections {
            try? await connection.eventLoop.submit { connection.reset() }.get()
            try? await connection.closeFuture.get()
        }
    }

    /// Accepts connections again, on the same port.
    public func comeBack() async throws {
        let holder = Holder()
        holder.api.withLock { $0 = self }
        let channel = try await Self.bind(port: reservation.port, to: holder)
        listener.withLock { $0 = channel }
    }

    /// The number of open connections.
    public var openConnections: Int { core.withLock { $0.connections.count } }

    /// The number of all connections so far.
    public var connectionCount: Int { core.withLock { $0.connectionCount } }

    // The server needs its port before it exists, and the listener needs the server.
    private final class Holder: Sendable {
        let api = Mutex<FakePrefectAPI?>(nil)
    }

    private static func bind(port: Int, to holder: Holder) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let api = holder.api.withLock({ $0 }) else { return }
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
                    try pipeline.addHandler(FakeAPIConnection(api: api))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
    }
}

/// Runs `body` with its own server, and stops that server afterwards.
public func withFakePrefectAPI<Result>(
    configuration: FakeAPIConfiguration = FakeAPIConfiguration(), isolation: isolated (any Actor)? = #isolation,
    _ body: (FakePrefectAPI) async throws -> Result
) async throws -> Result {
    let api = try await FakePrefectAPI.start(configuration: configuration)
    do {
        let result = try await body(api)
        await api.stop()
        return result
    } catch {
        await api.stop()
        throw error
    }
}

extension FakePrefectAPI {
    /// Everything that changes: the server's state, and the test's records and settings.
    struct Core: Sendable {
        var world = World()
        var requests: [RecordedRequest] = []
        var scripts: [Script] = []
        var hook: (@Sendable (RecordedRequest) -> Fault?)?
        var connections: [Int: any Channel] = [:]
        var connectionCount = 0
        private var serial = 0
        private var requestCount = 0

        mutating func takeRequestNumber() -> Int {
            requestCount += 1
            return requestCount - 1
        }

        mutating func number() -> Int {
            serial += 1
            return serial
        }
    }

    /// One rule for a fault.
    struct Script: Sendable {
        let number: Int
        let pattern: RequestPattern
        let fault: Fault
        var remaining: Int?
        var uses = 0
    }

    /// Changes the state, and wakes the tasks that wait for a change.
    func change<Result: Sendable>(_ body: (inout Core) -> Result) -> Result {
        let result = core.withLock { body(&$0) }
        changes.notify()
        return result
    }
}
