internal import Glibc

/// A value behind a lock, and threads that wait for its changes. `Mutex` does not offer both together.
///
/// It is for threads only: waiting inside a task would hold a thread of the cooperative pool.
// @unchecked: `state` is touched only while `mutex` is held, and the two pointers never change.
final class Monitor<State: Sendable>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var state: State

    init(_ state: State) {
        self.state = state
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // A step of the wall clock must not stretch a deadline.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(changed, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    /// Changes or reads the value, and wakes the waiting threads.
    func withLock<Result>(_ body: (inout State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(changed)
            pthread_mutex_unlock(mutex)
        }
        return body(&state)
    }

    /// Waits until `take` returns a result. Returns `nil` once `limit`, if given, has passed.
    func wait<Result>(atMost limit: Duration? = nil, _ take: (inout State) -> Result?) -> Result? {
        let deadline = limit.map(Self.deadline(after:))
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = take(&state) { return result }
            if var deadline {
                if pthread_cond_timedwait(changed, mutex, &deadline) == ETIMEDOUT { return take(&state) }
            } else {
                pthread_cond_wait(changed, mutex)
            }
        }
    }

    private static func deadline(after limit: Duration) -> timespec {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let (seconds, attoseconds) = limit.components
        let nanoseconds = time.tv_nsec + Int(max(attoseconds, 0) / 1_000_000_000)
        // A limit of a century is long enough, and cannot overflow.
        time.tv_sec += Int(min(max(seconds, 0), 3_200_000_000)) + nanoseconds / 1_000_000_000
        time.tv_nsec = nanoseconds % 1_000_000_000
        return time
    }
}
