import CPrefectCurl
import Glibc
import Synchronization

/// The thread that owns libcurl's multi handle, as seen by other threads.
///
/// All work of libcurl happens on that thread. Other threads hand work to it with `execute`. The thread ends after
/// `stop`, or when the last reference to this object is released.
final class EventLoop: Sendable {
    private enum ThreadState {
        case running(pthread_t)
        case released
    }

    private let mailbox: Mailbox
    private let thread: Mutex<ThreadState>

    /// libcurl requires this call once per process, before any other.
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
        // This may run on the loop's own thread or in a task. Neither may wait for the thread here.
        if case .running(let thread) = releaseThread() {
            pthread_detach(thread)
        }
    }

    /// Runs a closure on the loop's thread, outside of libcurl's calls. Returns false when the loop has stopped; then
    /// the closure will not run.
    @discardableResult
    func execute(_ work: @escaping Mailbox.Work) -> Bool {
        mailbox.post(work)
    }

    /// Fails everything in flight and returns when the thread has ended.
    func stop() async {
        mailbox.requestStop()
        await withCheckedContinuation { mailbox.notifyOfEnd($0) }
        if case .running(let thread) = releaseThread() {
            // The thread has executed its last statement, so the join waits only for its return.
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

/// The multi handle in a form that other threads may hold.
struct MultiHandle: @unchecked Sendable {
    // This is sound because other threads call only `curl_multi_wakeup` with it. libcurl documents that call as safe
    // from any thread. The mailbox makes no call after the handle is freed.
    let pointer: UnsafeMutableRawPointer
}

/// Work from other threads for the loop's thread.
final class Mailbox: Sendable {
    typealias Work = @Sendable (EventLoopCore) -> Void

    private struct State {
        var work: [Work] = []
        var isStopping = false
        var hasEnded = false
        var endWaiters: [CheckedContinuation<Void, Never>] = []
    }

    /// Nil once the handle may be freed.
    private let multi: Mutex<MultiHandle?>
    private let state = Mutex(State())

    init(_ multi: MultiHandle) {
        self.multi = Mutex(multi)
    }

    func post(_ work: @escaping Work) -> Bool {
        let count = state.withLock { state in
            guard !state.isStopping else { return 0 }
            state.work.append(work)
            return state.work.count
        }
        // One wake-up is enough until the loop has collected the work.
        if count == 1 { wakeLoop() }
        return count > 0
    }

    func requestStop() {
        state.withLock { $0.isStopping = true }
        wakeLoop()
    }

    /// Wakes the loop's thread. It holds another lock than `collect`, so that the thread does not wait for it.
    private func wakeLoop() {
        multi.withLock { multi in
            if let multi { curl_multi_wakeup(multi.pointer) }
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

    /// The mailbox does not use the multi handle after this call, so the handle may be freed.
    func closeForGood() {
        multi.withLock { $0 = nil }
        state.withLock { $0.hasEnded = true }
    }

    /// Resumes the tasks that wait for the end. It is the last step of the loop's thread.
    func announceEnd() {
        let waiters = state.withLock { state in
            defer { state.endWaiters = [] }
            return state.endWaiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
