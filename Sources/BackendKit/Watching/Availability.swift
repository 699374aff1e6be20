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

    /// How often a request is repeated that fails although the infrastructure is available.
    private static let mostFailures = 5
    /// The time before a request is repeated.
    private static let pause = Duration.milliseconds(500)

    /// Waits before a request to the infrastructure is repeated: for a moment, and then for the end of an outage. Returns
    /// `false` when the request has failed too often although the infrastructure was available.
    ///
    /// - Parameter failures: How often the request has failed since the last outage. This method counts them.
    public func mayRepeat(after failures: inout Int) async throws -> Bool {
        failures += 1
        // A failure may be noted as an outage only after this call, and the outage may end during the pause.
        let wasAvailable = reason == nil
        try await Task.sleep(for: Self.pause)
        if !wasAvailable || reason != nil { failures = 0 }
        if failures > Self.mostFailures { return false }
        await waitUntilAvailable()
        try Task.checkCancellation()
        return true
    }

    /// Waits until the infrastructure is available, or until the task is cancelled.
    public func waitUntilAvailable() async {
        await current.wait { $0 == nil }
    }
}
