import Dispatch

/// Handles a signal in place of its action. When this returns, no signal is lost any more. Before that, the action ends
/// the process or is that of the parent.
func handleSignal(_ number: Int32, _ handler: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
    let source = DispatchSource.makeSignalSource(signal: number)
    let registered = DispatchSemaphore(value: 0)
    source.setRegistrationHandler { registered.signal() }
    source.setEventHandler(handler: handler)
    source.resume()
    // Another thread registers the source, and on a busy machine that takes a while.
    registered.wait()
    return source
}
