internal import CLinux
internal import CSystemd
internal import Glibc
internal import PrefectConcurrency

/// The service manager that started this process, if it did so and wants notifications (`NOTIFY_SOCKET`). Mirrors
/// `sd_notify(3)` and `sd_watchdog_enabled(3)`.
package enum ServiceManager {
    /// Whether a service manager wants notifications.
    package static var isListening: Bool { getenv("NOTIFY_SOCKET") != nil }

    /// The interval of the manager's watchdog: a notification must arrive within each interval. `nil` when the manager
    /// has no watchdog for this process.
    package static var watchdogInterval: Duration? {
        var microseconds: UInt64 = 0
        guard sd_watchdog_enabled(0, &microseconds) > 0 else { return nil }
        return .microseconds(Int64(clamping: microseconds))
    }

    private static let longestCredential = 64 << 10

    /// Returns a secret that the manager has passed to this service (`LoadCredential=`), without line breaks at its
    /// end. Returns `nil` when the manager has passed no such secret.
    package static func credential(_ name: String) -> String? {
        guard let directory = getenv("CREDENTIALS_DIRECTORY"), !name.contains("/"),
            let file = fopen(String(cString: directory) + "/" + name, "re")
        else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: Self.longestCredential)
        let count = fread(&bytes, 1, Self.longestCredential, file)
        var text = String(decoding: bytes.prefix(count), as: UTF8.self)
        while text.last?.isNewline == true { text.removeLast() }
        return text.isEmpty ? nil : text
    }

    /// Whether the manager is restarting this service without ending its other processes (`KillMode=process`). Returns
    /// `false` when the answer is not known within `limit`.
    package static func isRestartingThisProcessAlone(within limit: Duration) async -> Bool {
        guard let socket = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }),
            let bus = Bus(socket.hasPrefix("/run/user/") ? .user : .system, matches: [])
        else { return false }
        let manager = UnitManager(bus: bus)
        return await raceOf(
            {
                guard let job = try? await manager.ownJob(), job.contains("restart") else { return false }
                let mode = try? await manager.ownKillMode()
                return mode == "process" || mode == "none"
            },
            {
                try? await Task.sleep(for: limit)
                // This ends the call that may still be pending.
                bus.close()
                return false
            })
    }

    /// Sends several notifications to the manager at once.
    package static func notify(_ notices: [ServiceNotice]) {
        guard !notices.isEmpty else { return }
        sd_notify(0, notices.map(\.assignment).joined(separator: "\n"))
    }
}

/// A notification from a service to its manager.
package enum ServiceNotice: Sendable, Hashable {
    /// The current activity of the service, in one line; `systemctl status` shows it.
    case status(String)
    /// The service has started, or has reloaded its configuration.
    case ready
    /// The service reloads its configuration from this moment on, in microseconds of the monotonic clock.
    case reloading(since: UInt64)
    /// The service is shutting down.
    case stopping
    /// The service works normally.
    case watchdog
    /// The start or the stop of the service continues for at least this time.
    case extendTimeout(Duration)

    /// The notification that the service reloads its configuration from now on.
    package static var reloading: ServiceNotice {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return .reloading(since: UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1000)
    }

    /// The notification in the format of `sd_notify(3)`.
    var assignment: String {
        switch self {
        case .status(let text): "STATUS=" + text.split(whereSeparator: \.isNewline).joined(separator: " ")
        case .ready: "READY=1"
        case .reloading(let moment): "RELOADING=1\nMONOTONIC_USEC=\(moment)"
        case .stopping: "STOPPING=1"
        case .watchdog: "WATCHDOG=1"
        case .extendTimeout(let time): "EXTEND_TIMEOUT_USEC=\(Int(time / .microseconds(1)))"
        }
    }
}

/// Decides which notifications a service sends to its manager, and when.
package struct ServiceNotices: Sendable {
    /// The state of a service.
    package struct State: Sendable, Hashable {
        /// The current activity of the service, in a few words.
        package var status: String
        /// Whether the service has begun its work.
        package var hasStarted: Bool
        /// Whether the service is shutting down.
        package var isStopping: Bool
        /// Whether its loops make progress.
        package var isAlive: Bool

        package init(status: String, hasStarted: Bool, isStopping: Bool, isAlive: Bool) {
            self.status = status
            self.hasStarted = hasStarted
            self.isStopping = isStopping
            self.isAlive = isAlive
        }
    }

    /// The interval of the notifications that the start or the stop continues, and the time for which each of them
    /// counts.
    static let prolongation = (every: Duration.seconds(5), by: Duration.seconds(30))

    private let watchdogInterval: Duration?
    private var reported: String?
    private var isReady = false
    private var hasReportedStopping = false
    private var lastProlongation: ContinuousClock.Instant?
    private var lastWatchdog: ContinuousClock.Instant?

    /// Makes notices for a manager whose watchdog has the given interval; `nil` stands for no watchdog.
    package init(watchdog: Duration?) { watchdogInterval = watchdog }

    /// Returns the notifications that are due. It must be called once a second or more often.
    package mutating func next(_ state: State, now: ContinuousClock.Instant) -> [ServiceNotice] {
        var notices: [ServiceNotice] = []
        if state.isStopping, !hasReportedStopping {
            hasReportedStopping = true
            notices.append(.stopping)
        } else if state.hasStarted, !isReady, !state.isStopping {
            isReady = true
            notices.append(.ready)
        }
        if state.status != reported {
            reported = state.status
            notices.append(.status(state.status))
        }
        // A service whose loops make no progress gets no more time, and sends no watchdog notification.
        guard state.isAlive else { return notices }
        if state.isStopping || !isReady, Self.isDue(lastProlongation, every: Self.prolongation.every, now) {
            lastProlongation = now
            notices.append(.extendTimeout(Self.prolongation.by))
        }
        if let watchdogInterval, Self.isDue(lastWatchdog, every: watchdogInterval / 3, now) {
            lastWatchdog = now
            notices.append(.watchdog)
        }
        return notices
    }

    private static func isDue(
        _ last: ContinuousClock.Instant?, every interval: Duration, _ now: ContinuousClock.Instant
    ) -> Bool {
        last.map { now - $0 >= interval } ?? true
    }
}
