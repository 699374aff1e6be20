internal import CLinux
internal import Glibc
internal import PrefectConcurrency
internal import Synchronization

/// The error of a failed call over the bus.
package struct BusError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The error's name, like `org.freedesktop.systemd1.NoSuchUnit`; `nil` when no answer came.
    package let name: String?
    /// The message of the error, in one line.
    package let message: String

    package init(name: String? = nil, message: String) {
        self.name = name
        self.message = message
    }

    package var description: String { message }

    /// Whether the same call may succeed later: the bus or the destination is unavailable, or took too long.
    package var isTransient: Bool {
        guard let name else { return true }
        return [
            "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Timeout",
            "org.freedesktop.DBus.Error.TimedOut", "org.freedesktop.DBus.Error.Disconnected",
            "org.freedesktop.DBus.Error.NameHasNoOwner", "org.freedesktop.DBus.Error.ServiceUnknown",
            "org.freedesktop.DBus.Error.LimitsExceeded", "org.freedesktop.DBus.Error.NoServer",
            // The host shuts down, so the manager of the next boot handles later calls.
            "org.freedesktop.systemd1.ShuttingDown",
        ].contains(name) || name.hasPrefix("System.Error.ECONN") || name.hasPrefix("org.freedesktop.DBus.Error.Spawn")
    }
}

/// A method call.
package struct BusCall: Sendable, Hashable {
    package var destination: String
    package var path: String
    package var interface: String
    package var member: String
    package var arguments: [BusValue]
    /// The time limit for the answer.
    package var timeout: Duration
    /// Whether the call changes nothing, so that a cancelled task need not wait for its answer.
    package var isRead: Bool

    package init(
        destination: String, path: String, interface: String, member: String, arguments: [BusValue] = [],
        timeout: Duration = .seconds(25), isRead: Bool = false
    ) {
        self.destination = destination
        self.path = path
        self.interface = interface
        self.member = member
        self.arguments = arguments
        self.timeout = timeout
        self.isRead = isRead
    }
}

/// An event on a bus.
package enum BusEvent: Sendable, Hashable {
    /// The bus is connected. Information from before this event is outdated.
    case connected
    /// The bus is not connected, for the given reason. It connects again by itself.
    case disconnected(String)
    case signal(interface: String, member: String, arguments: [BusValue])
}

/// A connection to a D-Bus, on a thread of its own. It is restored for as long as this object lives. Mirrors
/// `sd-bus(3)`.
package final class Bus: Sendable {
    /// The bus to connect to.
    package enum Kind: String, Sendable, Hashable {
        /// The system's bus: `DBUS_SYSTEM_BUS_ADDRESS`.
        case system
        /// The bus of this process's user: `DBUS_SESSION_BUS_ADDRESS`, or else the one in `XDG_RUNTIME_DIR`.
        case user
    }

    typealias Reply = @Sendable (Result<[BusValue], BusError>) -> Void

    struct Inbox: Sendable {
        var calls: [(call: BusCall, reply: Reply)] = []
        var isStopped = false
    }

    /// New and lost connections and the requested signals, in order. The stream has one reader.
    package let events: AsyncStream<BusEvent>
    private let inbox: Box

    /// The state that the bus shares with its thread, and the descriptor that wakes the thread. It is closed when neither
    /// of them can use it any more.
    final class Box: Sendable {
        let inbox = Mutex(Inbox())
        let wakeUp: Int32

        init?() {
            wakeUp = clinux_eventfd(1)
            if wakeUp < 0 { return nil }
        }

        deinit { _ = Glibc.close(wakeUp) }
    }

    /// Starts the thread; returns `nil` when the system provides no descriptor or thread.
    ///
    /// - Parameters:
    ///   - kind: The bus to connect to.
    ///   - matches: Rules for the requested signals, like `type='signal',member='UnitRemoved'`.
    package init?(_ kind: Kind, matches: [String]) {
        guard let box = Box() else { return nil }
        inbox = box
        let (stream, continuation) = AsyncStream.makeStream(of: BusEvent.self)
        events = stream
        let status = startThread("systemd-bus") {
            BusThread(kind: kind, matches: matches, inbox: box, events: continuation).run()
        }
        guard status == 0 else {
            errno = status
            return nil
        }
    }

    deinit { close() }

    /// Closes the connection. Pending calls and later calls fail.
    package func close() {
        inbox.inbox.withLock { $0.isStopped = true }
        signal()
    }

    /// Calls a method and returns the values of the answer. When the task is cancelled, a call that was made is not
    /// withdrawn. A cancelled task does not wait for the answer to a call that changes nothing.
    package func call(_ call: BusCall) async throws(BusError) -> [BusValue] {
        let answer = Answer()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                answer.await(continuation)
                let isClosed = inbox.inbox.withLock { inbox in
                    if !inbox.isStopped { inbox.calls.append((call, { answer.give($0) })) }
                    return inbox.isStopped
                }
                if isClosed { answer.give(.failure(BusError(message: Self.closed))) }
                signal()
            }
        } onCancel: {
            if call.isRead { answer.give(.failure(BusError(message: Self.cancelled))) }
        }
        return try result.get()
    }

    /// The first answer to a call, for the task that waits for it.
    private final class Answer: Sendable {
        typealias Outcome = Result<[BusValue], BusError>

        private struct State {
            var waiter: CheckedContinuation<Outcome, Never>?
            var outcome: Outcome?
        }

        private let state = Mutex(State())

        func await(_ waiter: CheckedContinuation<Outcome, Never>) {
            let outcome = state.withLock { state in
                if state.outcome == nil { state.waiter = waiter }
                return state.outcome
            }
            if let outcome { waiter.resume(returning: outcome) }
        }

        func give(_ outcome: Outcome) {
            let waiter = state.withLock { state -> CheckedContinuation<Outcome, Never>? in
                if state.outcome == nil { state.outcome = outcome }
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(returning: outcome)
        }
    }

    static let closed = "the connection was closed"
    static let cancelled = "the call was cancelled"

    private func signal() {
        var one: UInt64 = 1
        _ = write(inbox.wakeUp, &one, 8)
    }
}
