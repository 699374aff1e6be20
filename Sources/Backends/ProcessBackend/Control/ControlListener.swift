internal import CLinux
internal import Glibc
internal import PrefectFiles

/// The loopback listener to which the flow processes of all runs report. Only the supervisor that owns it uses it.
///
/// A token admits one connection. Any other connection is closed after five seconds at the latest.
final class ControlListener {
    /// An event on the connection of a run's process.
    enum Event {
        case concluded(ControlSession.Conclusion)
        case cancelUnanswered
    }

    private final class Connection {
        let descriptor: Descriptor
        var session = ControlSession()
        var watch: EventLoop.Token?
        var deadline: EventLoop.Token?
        var token: String?

        init(_ descriptor: Descriptor) {
            self.descriptor = descriptor
        }
    }

    static let patience = Duration.seconds(5)
    /// The maximum number of connections that have not sent a valid token. Further connections are closed at once.
    private static let maximumStrangers = 64

    let port: UInt16
    private let loop: EventLoop
    private let descriptor: Descriptor
    private let patience: Duration
    private var acceptWatch: EventLoop.Token?
    private let onAccept: @Sendable () -> Void
    private var connections: [EventLoop.Token: Connection] = [:]
    private var expected: Set<String> = []
    private var admitted: [String: Connection] = [:]
    /// Receives the events of each run, with the token of the run.
    private let report: (String, Event) -> Void
    /// These closures run on the loop and call the owner of this object.
    private let ready: @Sendable (EventLoop.Token) -> Void
    private let expired: @Sendable (EventLoop.Token) -> Void

    /// Opens the listener. Returns `nil` when the host provides no loopback port.
    /// - Parameters:
    ///   - onAccept: Called on the loop when a peer connects; it must call ``accept()``.
    ///   - onReady: Called on the loop when a connection has bytes; it must call ``receive(_:)``.
    ///   - onExpiry: Called on the loop when a connection was silent for too long; it must call ``expire(_:)``.
    init?(
        loop: EventLoop, patience: Duration = ControlListener.patience, onAccept: @escaping @Sendable () -> Void,
        onReady: @escaping @Sendable (EventLoop.Token) -> Void, onExpiry: @escaping @Sendable (EventLoop.Token) -> Void,
        report: @escaping (String, Event) -> Void
    ) {
        var port: UInt16 = 0
        guard let descriptor = Descriptor(owning: clinux_loopback_listener(&port)),
            let watch = loop.watch(descriptor, { _ in onAccept() })
        else { return nil }
        self.acceptWatch = watch
        self.onAccept = onAccept
        self.loop = loop
        self.descriptor = descriptor
        self.port = port
        self.patience = patience
        self.ready = onReady
        self.expired = onExpiry
        self.report = report
    }

    /// Makes a token, which admits one connection. Returns `nil` when the system provides no random bytes.
    func makeToken() -> String? {
        guard let token = randomHexadecimal(bytes: 16) else { return nil }
        expected.insert(token)
        return token
    }

    /// Removes a run. Its connection is read a last time and closed, and its token admits no further connection.
    func forget(_ token: String) {
        drain(token)
        expected.remove(token)
        if let connection = admitted.removeValue(forKey: token) { close(connection) }
    }

    /// Reads and handles the bytes that a run's process has sent so far.
    func drain(_ token: String) {
        if let connection = admitted[token], let watch = connection.watch { receive(watch) }
    }

    /// Requests that a run's process cancels the run. Returns `false` when the process cannot take the request.
    func requestCancel(_ token: String) -> Bool {
        guard let connection = admitted[token], connection.session.canCancel else { return false }
        perform(connection.session.handle(.cancelRequested), connection)
        return true
    }

    /// Stops waiting for the answer to a request to cancel, and closes the connection. Otherwise, a later byte could be
    /// mistaken for that answer.
    func abandonCancel(_ token: String) {
        guard let connection = admitted[token] else { return }
        perform(connection.session.handle(.timedOut), connection)
    }

    func accept() {
        let onAccept = onAccept
        if acceptWatch == nil { acceptWatch = loop.watch(descriptor) { _ in onAccept() } }
        while true {
            guard let accepted = Descriptor(owning: clinux_accept(descriptor.raw)) else {
                if errno == EINTR || errno == ECONNABORTED { continue }
                if errno == EAGAIN { return }
                // No descriptor is available. An immediate retry would only keep the thread busy.
                if let watch = acceptWatch { loop.unwatch(descriptor, watch) }
                acceptWatch = nil
                loop.schedule(at: .now + .milliseconds(100), onAccept)
                return
            }
            let strangers = connections.values.count { $0.token == nil }
            guard strangers < Self.maximumStrangers else { continue }
            let connection = Connection(accepted)
            guard let watch = loop.watch(accepted, ready) else { continue }
            let expired = expired
            connection.watch = watch
            connection.deadline = loop.schedule(at: .now + patience) { expired(watch) }
            connections[watch] = connection
        }
    }

    func receive(_ watch: EventLoop.Token) {
        guard let connection = connections[watch] else { return }
        var chunk = [UInt8](repeating: 0, count: 1024)
        // The loop is bounded, so that one connection cannot occupy the thread.
        for _ in 0..<8 {
            let count = read(connection.descriptor.raw, &chunk, chunk.count)
            if count > 0 {
                perform(connection.session.handle(.received(Array(chunk[..<count]))), connection)
            } else if count < 0, errno == EINTR {
                continue
            } else if count < 0, errno == EAGAIN {
                return
            } else {
                perform(connection.session.handle(.closed), connection)
                close(connection)
            }
            if connections[watch] == nil { return }
        }
    }

    func expire(_ watch: EventLoop.Token) {
        guard let connection = connections[watch], connection.token == nil else { return }
        perform(connection.session.handle(.timedOut), connection)
    }

    private func perform(_ actions: [ControlSession.Action], _ connection: Connection) {
        for action in actions {
            switch action {
            case .authenticate(let token):
                guard expected.remove(token) != nil else {
                    close(connection)
                    return
                }
                connection.token = token
                admitted[token] = connection
                if let deadline = connection.deadline { loop.cancel(deadline) }
                connection.deadline = nil
                perform(connection.session.handle(.admitted), connection)
            case .send(let bytes):
                // The few bytes fit into an empty buffer. If they do not fit, the peer does not read.
                if clinux_send(connection.descriptor.raw, bytes, bytes.count) != bytes.count {
                    perform(connection.session.handle(.closed), connection)
                    close(connection)
                }
            case .close:
                close(connection)
            case .conclude(let conclusion):
                if let token = connection.token { report(token, .concluded(conclusion)) }
            case .cancelUnanswered:
                if let token = connection.token { report(token, .cancelUnanswered) }
            }
        }
    }

    private func close(_ connection: Connection) {
        guard let watch = connection.watch else { return }
        connection.watch = nil
        if let deadline = connection.deadline { loop.cancel(deadline) }
        connections[watch] = nil
        loop.unwatch(connection.descriptor, watch)
        if let token = connection.token, admitted[token] === connection { admitted[token] = nil }
    }
}
