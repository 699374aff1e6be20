internal import CLinux
internal import Glibc

/// Starts a detached thread with all signals blocked; `false` when the system has no thread left.
func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
    final class Box {
        let name: String
        let body: @Sendable () -> Void
        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
    let box = Unmanaged.passRetained(Box(name, body))
    var thread = pthread_t()
    let error = pthread_create(
        &thread, nil,
        { argument in
            guard let argument else { return nil }
            let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
            clinux_prepare_thread(box.name)
            box.body()
            return nil
        }, box.toOpaque())
    guard error == 0 else {
        box.release()
        return false
    }
    pthread_detach(thread)
    return true
}

/// Does something that may block on a thread of its own; `nil` when the system has no thread left.
public func onThread<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result? {
    await withCheckedContinuation { (continuation: CheckedContinuation<Result?, Never>) in
        if !startThread("systemd", { continuation.resume(returning: work()) }) { continuation.resume(returning: nil) }
    }
}
