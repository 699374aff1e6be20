internal import CLinux
internal import Glibc
internal import PrefectConcurrency
internal import PrefectFiles
internal import Synchronization

/// One thread that waits for descriptors and deadlines. An actor runs on the same thread, so that events reach it
/// without a lock or a change of threads.
final class EventLoop: SerialExecutor {
    /// Identifies a watch or a timer.
    typealias Token = UInt64

    private struct Timer {
        let deadline: ContinuousClock.Instant
        let token: Token
        let action: @Sendable () -> Void
    }

    private struct State {
        var jobs: [UnownedJob] = []
        var actions: [@Sendable () -> Void] = []
        var handlers: [Token: @Sendable (Token) -> Void] = [:]
        var timers: [Timer] = []
        var nextToken: Token = 1
        var thread: pthread_t?
        var isStopped = false
        var isAwake = false
    }

    private let epoll: Descriptor
    private let wakeUp: Descriptor
    private let state = Mutex(State())

    /// Starts the thread. Returns `nil`, with `errno` set, when the system provides no descriptor or thread.
    static func started(name: String) -> EventLoop? {
        guard let epoll = Descriptor(owning: clinux_epoll_create()),
            let wakeUp = Descriptor(owning: clinux_eventfd(1)), clinux_epoll_add(epoll.raw, wakeUp.raw, 0) == 0
        else { return nil }
        let loop = EventLoop(epoll: epoll, wakeUp: wakeUp)
        guard startThread(name, stackSize: 512 << 10, { loop.run() }) == 0 else { return nil }
        return loop
    }

    private init(epoll: Descriptor, wakeUp: Descriptor) {
        self.epoll = epoll
        self.wakeUp = wakeUp
    }

    /// Ends the thread once it has run all jobs and actions that it has received so far.
    func stop() {
        state.withLock { $0.isStopped = true }
        wake()
    }

    // MARK: - SerialExecutor

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let mustWake = state.withLock { state in
            state.jobs.append(job)
            return !state.isAwake
        }
        if mustWake { wake() }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    func isIsolatingCurrentContext() -> Bool? {
        state.withLock { state in state.thread.map { pthread_equal($0, pthread_self()) != 0 } ?? false }
    }

    func checkIsolated() {
        precondition(isIsolatingCurrentContext() == true, "not on the event loop's thread")
    }

    // MARK: - Events

    /// Runs an action on the thread.
    func execute(_ action: @escaping @Sendable () -> Void) {
        let mustWake = state.withLock { state in
            state.actions.append(action)
            return !state.isAwake
        }
        if mustWake { wake() }
    }

    /// Calls an action on the thread whenever a descriptor is readable or hung up. Returns `nil` when the descriptor
    /// cannot be watched.
    func watch(_ descriptor: Descriptor, _ action: @escaping @Sendable (Token) -> Void) -> Token? {
        let token = state.withLock { state in
            let token = state.nextToken
            state.nextToken += 1
            state.handlers[token] = action
            return token
        }
        guard clinux_epoll_add(epoll.raw, descriptor.raw, token) == 0 else {
            _ = state.withLock { $0.handlers.removeValue(forKey: token) }
            return nil
        }
        return token
    }

    /// Ends a watch. Its action is not called again.
    func unwatch(_ descriptor: Descriptor, _ token: Token) {
        _ = clinux_epoll_remove(epoll.raw, descriptor.raw)
        _ = state.withLock { $0.handlers.removeValue(forKey: token) }
    }

    /// Calls an action on the thread at a time.
    @discardableResult
    func schedule(at deadline: ContinuousClock.Instant, _ action: @escaping @Sendable () -> Void) -> Token {
        let (token, mustWake) = state.withLock { state in
            let token = state.nextToken
            state.nextToken += 1
            state.timers.append(Timer(deadline: deadline, token: token, action: action))
            return (token, !state.isAwake)
        }
        if mustWake { wake() }
        return token
    }

    /// Removes a timer.
    func cancel(_ token: Token) {
        state.withLock { state in
            if let index = state.timers.firstIndex(where: { $0.token == token }) { state.timers.remove(at: index) }
        }
    }

    private func wake() {
        var one: UInt64 = 1
        _ = write(wakeUp.raw, &one, 8)
    }

    // MARK: - The thread

    private func run() {
        state.withLock { state in
            state.thread = pthread_self()
            state.isAwake = true
        }
        var tokens = [Token](repeating: 0, count: 64)
        while true {
            runPending()
            let milliseconds: Int32? = state.withLock { state in
                guard state.jobs.isEmpty, state.actions.isEmpty else { return 0 }
                if state.isStopped { return nil }
                guard let next = state.timers.map(\.deadline).min() else {
                    state.isAwake = false
                    return -1
                }
                let left = (next - .now).components
                // The time is rounded up, so that the thread does not spin through the last millisecond.
                let milliseconds = left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000 + 1
                state.isAwake = milliseconds <= 0
                return Int32(clamping: max(0, milliseconds))
            }
            guard let milliseconds else { return }
            let count = clinux_epoll_wait(epoll.raw, &tokens, Int32(tokens.count), milliseconds)
            state.withLock { $0.isAwake = true }
            for token in tokens.prefix(Int(max(0, count))) {
                if token == 0 {
                    var counter: UInt64 = 0
                    _ = read(wakeUp.raw, &counter, 8)
                } else if let handler = state.withLock({ $0.handlers[token] }) {
                    handler(token)
                }
            }
        }
    }

    /// Runs the actions and jobs that have been received, and the timers that are due.
    private func runPending() {
        let (jobs, actions, due) = state.withLock { state in
            let now = ContinuousClock.now
            let due = state.timers.filter { $0.deadline <= now }.sorted { $0.deadline < $1.deadline }
            if !due.isEmpty { state.timers.removeAll { $0.deadline <= now } }
            defer {
                state.jobs.removeAll()
                state.actions.removeAll()
            }
            return (state.jobs, state.actions, due)
        }
        for action in actions { action() }
        for timer in due { timer.action() }
        for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
    }
}
