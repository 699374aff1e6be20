internal import CLinux
internal import Glibc

/// Starts a detached thread for work that blocks, with all signals blocked, since other threads handle them. So the
/// SIGPIPE that a write to a closed pipe raises in the writing thread has no effect.
///
/// - Parameters:
///   - name: The thread's name in the system. A name of more than 15 bytes is not set.
///   - stackSize: The size of the thread's stack in bytes; by default the system's own.
///   - body: The work of the thread, which ends when the work returns.
/// - Returns: 0, or the error number when the system cannot create a thread.
package func startThread(
    _ name: String, stackSize: Int? = nil, _ body: @escaping @Sendable () -> Void
) -> Int32 {
    final class Box: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
    var attributes = pthread_attr_t()
    let status = pthread_attr_init(&attributes)
    guard status == 0 else { return status }
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    if let stackSize { pthread_attr_setstacksize(&attributes, stackSize) }
    // The signals are blocked before the start, because a new thread inherits its creator's mask.
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_BLOCK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    let box = Unmanaged.passRetained(Box(name, body))
    var thread = pthread_t()
    let error = pthread_create(
        &thread, &attributes,
        { argument in
            guard let argument else { return nil }
            let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
            clinux_name_thread(box.name)
            box.body()
            return nil
        }, box.toOpaque())
    if error != 0 { box.release() }
    return error
}

/// Runs work that may block on a separate thread; `nil` when the system cannot create one.
package func onThread<Result: Sendable>(
    _ name: String, _ work: @escaping @Sendable () -> Result
) async -> Result? {
    await withCheckedContinuation { (continuation: CheckedContinuation<Result?, Never>) in
        if startThread(name, { continuation.resume(returning: work()) }) != 0 { continuation.resume(returning: nil) }
    }
}
