import CCurl
import Glibc
import Synchronization

/// The thread that owns libcurl's multi handle, seen from everywhere else.
///
/// All of libcurl happens on that one thread; others hand it work with `execute`. It ends after `stop`, or when the
/// last reference to this object goes.
final class EventLoop: Sendable {
    private enum ThreadState {
        case running(pthread_t)
        case released
    }

    private let mailbox: Mailbox
    private let thread: Mutex<ThreadState>

    /// libcurl wants this once per process, before anything else.
    private static let globalInitialisation = ccurl_global_init()

    init(_ configuration: TransportConfiguration) throws(TransportError) {
        guard Self.globalInitialisation == CURLE_OK, let multi = curl_multi_init() else {
            throw Self.failure("libcurl could not be set up")
        }
        let mailbox = Mailbox(MultiHandle(pointer: multi))
        let core = Unmanaged.passRetained(
            EventLoopCore(multi: multi, mailbox: mailbox, configuration: configuration))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                if let context {
                    Unmanaged<EventLoopCore>.fromOpaque(context).takeRetainedValue().run()
                }
                return nil
            }, core.toOpaque())
        guard code == 0 else {
            core.release()
            curl_multi_cleanup(multi)
            throw Self.failure("its thread could not be started: \(String(cString: strerror(code)))")
        }
        self.mailbox = mailbox
        self.thread = Mutex(.running(thread))
    }

    private static func failure(_ cause: String) -> TransportError {
        TransportError(kind: .invalidRequest, operation: "HTTP transport", cause: cause, requestMayHaveBeenSent: false)
    }

    deinit {
        mailbox.requestStop()
        // This may be the loop's own thread, or a task's; neither may wait for it here.
        if case .running(let thread) = releaseThread() {
            pthread_detach(thread)
        }
    }

    /// Runs a closure on the loop's thread, outside of libcurl's calls. False when the loop has stopped: the closure
    /// will not run then.
    @discardableResult
    func execute(_ work: @escaping Mailbox.Work) -> Bool {
        mailbox.post(work)
    }

    /// Fails what is in flight and returns when the thread is gone.
    func stop() async {
        mailbox.requestStop()
        await withCheckedContinuation { mailbox.notifyOfEnd($0) }
        if case .running(let thread) = releaseThread() {
            // Its last statement has run: this waits for no more than the return from it.
            pthread_join(thread, nil)
        }
    }

    private func releaseThread() -> ThreadState {
        thread.withLock { state in
            defer { state = .released }
            return state
        }
    }
}

/// A multi handle as other threads may have it.
struct MultiHandle: @unchecked Sendable {
    // Sound because `curl_multi_wakeup` is the only call made through it off the loop's thread, which libcurl
    // documents as safe from any thread, and the mailbox makes none after the handle is freed.
    let pointer: UnsafeMutableRawPointer
}

/// What other threads leave for the loop's.
final class Mailbox: Sendable {
    typealias Work = @Sendable (EventLoopCore) -> Void

    private struct State {
        var work: [Work] = []
        var isStopping = false
        var hasEnded = false
        var endWaiters: [CheckedContinuation<Void, Never>] = []
    }

    private let multi: MultiHandle
    private let state = Mutex(State())

    init(_ multi: MultiHandle) {
        self.multi = multi
    }

    func post(_ work: @escaping Work) -> Bool {
        state.withLock { state in
            guard !state.isStopping else { return false }
            state.work.append(work)
            // One wake-up is enough until the loop has looked.
            if state.work.count == 1 { curl_multi_wakeup(multi.pointer) }
            return true
        }
    }

    func requestStop() {
        state.withLock { state in
            if state.hasEnded { return }
            state.isStopping = true
            curl_multi_wakeup(multi.pointer)
        }
    }

    func notifyOfEnd(_ waiter: CheckedContinuation<Void, Never>) {
        let hasEnded = state.withLock { state in
            if !state.hasEnded { state.endWaiters.append(waiter) }
            return state.hasEnded
        }
        if hasEnded { waiter.resume() }
    }

    // MARK: The loop's side

    func collect() -> (work: [Work], isStopping: Bool) {
        state.withLock { state in
            defer { state.work.removeAll(keepingCapacity: true) }
            return (state.work, state.isStopping)
        }
    }

    /// From here on the multi handle is not touched, so it may be freed.
    func closeForGood() {
        state.withLock { $0.hasEnded = true }
    }

    /// The very last act of the loop's thread.
    func announceEnd() {
        let waiters = state.withLock { state in
            defer { state.endWaiters = [] }
            return state.endWaiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
