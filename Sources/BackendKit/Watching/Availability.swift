public import Logging
internal import PrefectConcurrency

/// Why a backend's infrastructure is unavailable at the moment. Code that finds an outage records it here, and code
/// that needs the infrastructure waits here for the end. The log reports the start and the end of an outage to the
/// operator.
public final class InfrastructureAvailability: Sendable {
    private let end: String
    private let logger: Logger
    private let current = ObservedValue<String?>(nil)

    /// Creates the state of available infrastructure.
    /// - Parameters:
    ///   - end: The message to the operator when an outage is over.
    ///   - logger: The log that the operator reads.
    public init(end: String, logger: Logger) {
        self.end = end
        self.logger = logger
    }

    /// The reason, in one line; `nil` while the infrastructure is available.
    public var reason: String? { current.value }

    /// Records the current state; `nil` means available. A second reason during the same outage is not logged.
    public func note(_ reason: String?) {
        let was = current.update { current in
            defer { current = reason }
            return current
        }
        if let reason, was == nil {
            logger.warning(
                "\(reason). The worker claims no new runs until it is available; it then watches running ones again")
        }
        if reason == nil, was != nil { logger.info("\(end)") }
    }

    /// Waits until the infrastructure is available, or until the task is cancelled.
    public func waitUntilAvailable() async {
        await current.wait { $0 == nil }
    }
}
