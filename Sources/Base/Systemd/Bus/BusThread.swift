internal import CLinux
internal import CSystemd
internal import Glibc
internal import PrefectConcurrency
internal import Synchronization

/// The thread of a ``Bus``. All functions of sd-bus are called on it.
final class BusThread {
    /// A call that waits for its answer.
    private final class Pending {
        let reply: Bus.Reply
        unowned let thread: BusThread

        init(_ reply: @escaping Bus.Reply, _ thread: BusThread) {
            self.reply = reply
            self.thread = thread
        }
    }

    private let kind: Bus.Kind
    private let matches: [String]
    private let inbox: Bus.Box
    private let events: AsyncStream<BusEvent>.Continuation
    private var bus: OpaquePointer?
    private var isReady = false
    private var pending: [ObjectIdentifier: Pending] = [:]

    init(
        kind: Bus.Kind, matches: [String], inbox: Bus.Box, events: AsyncStream<BusEvent>.Continuation
    ) {
        self.kind = kind
        self.matches = matches
        self.inbox = inbox
        self.events = events
    }

    /// Maintains a connection until the bus is closed.
    func run() {
        let backoff = Backoff(from: .milliseconds(100), to: .seconds(3))
        var failures = 0
        while true {
            let problem = connect() ?? serve()
            failures = isReady ? 1 : failures + 1
            disconnect(problem)
            guard problem != nil, waitWithoutConnection(backoff.pause(afterFailures: failures), problem) else { break }
        }
        events.finish()
    }

    // MARK: The connection

    /// Begins to connect. Returns the reason for a failure, in one line.
    private func connect() -> String? {
        let status = kind == .system ? sd_bus_open_system(&bus) : sd_bus_open_user(&bus)
        guard status >= 0, let bus else { return Self.text(of: status) }
        sd_bus_set_exit_on_disconnect(bus, 0)
        for match in matches {
            let status = sd_bus_add_match_async(
                bus, nil, match, Self.onSignal, nil, Unmanaged.passUnretained(self).toOpaque())
            if status < 0 { return Self.text(of: status) }
        }
        return nil
    }

    /// Processes the traffic of the connection. Returns the reason for its end; `nil` when the bus was closed.
    private func serve() -> String? {
        guard let bus else { return "there is no connection" }
        while true {
            var status = sd_bus_process(bus, nil)
            while status > 0 { status = sd_bus_process(bus, nil) }
            guard status >= 0, sd_bus_is_open(bus) > 0 else { return Self.text(of: status < 0 ? status : -ECONNRESET) }
            if !isReady, sd_bus_is_ready(bus) > 0 {
                isReady = true
                events.yield(.connected)
            }
            let (calls, isStopped) = takeCalls()
            if isStopped { return nil }
            for (call, reply) in calls { send(call, reply, bus) }
            if let problem = wait(bus) { return problem }
        }
    }

    private func wait(_ bus: OpaquePointer) -> String? {
        let wanted = sd_bus_get_events(bus)
        guard wanted >= 0 else { return Self.text(of: wanted) }
        var deadline: UInt64 = UInt64.max
        sd_bus_get_timeout(bus, &deadline)
        var milliseconds: Int32 = -1
        if deadline != UInt64.max {
            var now = timespec()
            clock_gettime(CLOCK_MONOTONIC, &now)
            let current = UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1000
            milliseconds = deadline <= current ? 0 : Int32(clamping: (deadline - current) / 1000 + 1)
        }
        var polled = [
            pollfd(fd: sd_bus_get_fd(bus), events: Int16(truncatingIfNeeded: wanted), revents: 0),
            pollfd(fd: inbox.wakeUp, events: Int16(POLLIN), revents: 0),
        ]
        _ = poll(&polled, 2, milliseconds)
        drainWakeUp()
        return nil
    }

    private func disconnect(_ problem: String?) {
        isReady = false
        if let bus {
            sd_bus_close(bus)
            sd_bus_unref(bus)
        }
        bus = nil
        let failure = BusError(message: problem ?? Bus.closed)
        for call in pending.values {
            Unmanaged.passUnretained(call).release()
            call.reply(.failure(failure))
        }
        pending = [:]
        if let problem { events.yield(.disconnected(problem)) }
    }

    /// Waits before the next connection. Calls during that time fail. Returns `false` when the bus was closed.
    private func waitWithoutConnection(_ duration: Duration, _ problem: String?) -> Bool {
        let end = ContinuousClock.now + duration
        while true {
            let (calls, isStopped) = takeCalls()
            for (_, reply) in calls { reply(.failure(BusError(message: problem ?? ""))) }
            let left = end - .now
            if isStopped || left <= .zero { return !isStopped }
            var polled = pollfd(fd: inbox.wakeUp, events: Int16(POLLIN), revents: 0)
            _ = poll(&polled, 1, Int32(clamping: Int(left / .milliseconds(1)) + 1))
            drainWakeUp()
        }
    }

    private func drainWakeUp() {
        var counter: UInt64 = 0
        _ = read(inbox.wakeUp, &counter, 8)
    }

    // MARK: Calls

    private func takeCalls() -> (calls: [(call: BusCall, reply: Bus.Reply)], isStopped: Bool) {
        let (calls, isStopped) = inbox.inbox.withLock { inbox in
            defer { inbox.calls = [] }
            return (inbox.calls, inbox.isStopped)
        }
        guard isStopped else { return (calls, false) }
        for (_, reply) in calls { reply(.failure(BusError(message: Bus.closed))) }
        return ([], true)
    }

    private func send(_ call: BusCall, _ reply: @escaping Bus.Reply, _ bus: OpaquePointer) {
        var message: OpaquePointer?
        var status = sd_bus_message_new_method_call(
            bus, &message, call.destination, call.path, call.interface, call.member)
        defer { sd_bus_message_unref(message) }
        if let message {
            for argument in call.arguments where status >= 0 { status = argument.append(to: message) }
        }
        guard status >= 0 else {
            reply(.failure(BusError(name: "System.Error.EINVAL", message: "\(call.member): \(Self.text(of: status))")))
            return
        }
        let waiting = Pending(reply, self)
        let box = Unmanaged.passRetained(waiting)
        status = sd_bus_call_async(
            bus, nil, message, Self.onReply, box.toOpaque(), UInt64(max(1, call.timeout / .microseconds(1))))
        guard status >= 0 else {
            box.release()
            reply(.failure(BusError(message: Self.text(of: status))))
            return
        }
        pending[ObjectIdentifier(waiting)] = waiting
    }

    private static let onReply: sd_bus_message_handler_t = { message, context, _ in
        guard let context, let message else { return 0 }
        let waiting = Unmanaged<Pending>.fromOpaque(context).takeRetainedValue()
        waiting.thread.pending[ObjectIdentifier(waiting)] = nil
        waiting.reply(BusThread.result(of: message))
        return 1
    }

    private static let onSignal: sd_bus_message_handler_t = { message, context, _ in
        guard let context, let message, let interface = sd_bus_message_get_interface(message),
            let member = sd_bus_message_get_member(message), let arguments = BusValue.readAll(of: message)
        else { return 0 }
        let thread = Unmanaged<BusThread>.fromOpaque(context).takeUnretainedValue()
        thread.events.yield(
            .signal(interface: String(cString: interface), member: String(cString: member), arguments: arguments))
        return 0
    }

    private static func result(of message: OpaquePointer) -> Result<[BusValue], BusError> {
        if let error = sd_bus_message_get_error(message) {
            let text = error.pointee.message.map { String(cString: $0) } ?? "it gave no reason"
            let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
            return .failure(BusError(name: error.pointee.name.map { String(cString: $0) }, message: line))
        }
        guard let values = BusValue.readAll(of: message) else {
            return .failure(
                BusError(name: "System.Error.EBADMSG", message: "the answer has an unexpected type"))
        }
        return .success(values)
    }

    private static func text(of status: Int32) -> String {
        if -status == ENOMEDIUM { return "neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set" }
        return String(cString: strerror(-status))
    }
}
