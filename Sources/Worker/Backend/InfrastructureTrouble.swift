package import Logging
internal import PrefectAPI

/// Why a backend's infrastructure cannot be used at the moment: noted by whoever finds out, told to the worker's operator when
/// it begins and when it is over, and waited for by whoever needs the infrastructure.
package final class InfrastructureTrouble: Sendable {
    private let end: String
    private let logger: Logger
    private let current = Live<String?>(nil)

    /// No trouble.
    /// - Parameters:
    ///   - end: What the operator is told when trouble is over.
    ///   - logger: The log that the operator reads.
    package init(end: String, logger: Logger) {
        self.end = end
        self.logger = logger
    }

    /// The reason, in one line; `nil` when there is no trouble.
    package var reason: String? { current.value }

    /// Notes how it stands now; `nil` is no trouble. Another reason for the same trouble is no news.
    package func note(_ reason: String?) {
        let was = current.update { current in
            defer { current = reason }
            return current
        }
        if let reason, was == nil {
            logger.warning(
                "\(reason). Runs that come are not taken until it does, those that run are watched again then")
        }
        if reason == nil, was != nil { logger.info("\(end)") }
    }

    /// Waits until there is none, or for the task's cancellation.
    package func waitUntilOver() async {
        await current.wait { $0 == nil }
    }
}
