internal import NIOCore
internal import NIOPosix

/// Runs an action after a delay, unless it is cancelled before.
struct Alarm: Sendable {
    private let scheduled: Scheduled<Void>

    init(after delay: Duration, _ action: @escaping @Sendable () -> Void) {
        scheduled = MultiThreadedEventLoopGroup.singleton.next()
            .scheduleTask(in: TimeAmount(delay), action)
    }

    func cancel() { scheduled.cancel() }
}
