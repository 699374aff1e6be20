internal import CLinux
internal import CSystemd
internal import Glibc

/// The service manager that started this process, when one did and wants to be told how it goes (`NOTIFY_SOCKET`).
/// Mirrors `sd_notify(3)` and `sd_watchdog_enabled(3)`.
public enum ServiceManager {
    /// Whether anybody is to be told.
    public static var isListening: Bool { getenv("NOTIFY_SOCKET") != nil }

    /// Within which time the manager wants to hear again and again that all is well; `nil` when it does not.
    public static var watchdogInterval: Duration? {
        var microseconds: UInt64 = 0
        guard sd_watchdog_enabled(0, &microseconds) > 0 else { return nil }
        return .microseconds(Int64(clamping: microseconds))
    }

    private static let longestCredential = 64 << 10

    /// A secret that the manager has handed over to this service (`LoadCredential=`), without line breaks at its end.
    public static func credential(_ name: String) -> String? {
        guard let folder = getenv("CREDENTIALS_DIRECTORY"), !name.contains("/"),
            let file = fopen(String(cString: folder) + "/" + name, "re")
        else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: Self.longestCredential)
        let count = fread(&bytes, 1, Self.longestCredential, file)
        var text = String(decoding: bytes.prefix(count), as: UTF8.self)
        while text.last?.isNewline == true { text.removeLast() }
        return text.isEmpty ? nil : text
    }

    /// Whether the manager is about to start this service again and lets its other processes live meanwhile
    /// (`KillMode=process`). Where that is not known within `limit`, it is not so.
    public static func isRestartingThisProcessAlone(within limit: Duration) async -> Bool {
        guard let socket = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }),
            let bus = Bus(socket.hasPrefix("/run/user/") ? .user : .system, matches: [])
        else { return false }
        let manager = UnitManager(bus: bus)
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                guard let job = try? await manager.ownJob(), job.contains("restart") else { return false }
                let mode = try? await manager.ownKillMode()
                return mode == "process" || mode == "none"
            }
            group.addTask {
                try? await Task.sleep(for: limit)
                return false
            }
            let isRestarting = await group.next() ?? false
            // Ends the call that may still be under way.
            bus.close()
            group.cancelAll()
            return isRestarting
        }
    }

    /// Tells the manager several things at once.
    public static func tell(_ notices: [ServiceNotice]) {
        guard !notices.isEmpty else { return }
        sd_notify(0, notices.map(\.assignment).joined(separator: "\n"))
    }

    /// Variables that a service manager gives to this process alone: who inherited them would speak in its name.
    public static let ownVariables: Set<String> = [
        "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
        "LISTEN_PIDFDID",
    ]
}

/// Something that a service tells its manager.
public enum ServiceNotice: Sendable, Hashable {
    /// What the service does at the moment, in one line; `systemctl status` shows it.
    case status(String)
    /// The service has started, or has read its configuration again.
    case ready
    /// The service reads its configuration again, from this moment on, in microseconds of the monotonic clock.
    case reloading(since: UInt64)
    /// The service is on its way out.
    case stopping
    /// All is well.
    case watchdog
    /// Starting or stopping goes on, and will for at least so long.
    case extendTimeout(Duration)

    /// That the configuration is read again, from now on.
    public static var reloading: ServiceNotice {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return .reloading(since: UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1000)
    }

    /// The notice as `sd_notify(3)` takes it.
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

/// What a service tells its manager as time goes by.
public struct ServiceNotices: Sendable {
    /// How a service stands.
    public struct Standing: Sendable, Hashable {
        /// What it does, in a few words.
        public var status: String
        /// Whether it has begun to do what it is there for.
        public var hasStarted: Bool
        /// Whether it is on its way out.
        public var isStopping: Bool
        /// Whether its loops make progress.
        public var isAlive: Bool

        /// A standing.
        public init(status: String, hasStarted: Bool, isStopping: Bool, isAlive: Bool) {
            self.status = status
            self.hasStarted = hasStarted
            self.isStopping = isStopping
            self.isAlive = isAlive
        }
    }

    /// How often it is said that starting or stopping goes on, and for how long that counts.
    static let prolongation = (every: Duration.seconds(5), by: Duration.seconds(30))

    private let watchdogInterval: Duration?
    private var told: String?
    private var isReady = false
    private var saysStopping = false
    private var lastProlongation: ContinuousClock.Instant?
    private var lastWatchdog: ContinuousClock.Instant?

    /// Notices for a manager that wants to hear within `watchdog`, if at all, that all is well.
    public init(watchdog: Duration?) { watchdogInterval = watchdog }

    /// What is to be told now; asked once a second or more often.
    public mutating func next(_ standing: Standing, now: ContinuousClock.Instant) -> [ServiceNotice] {
        var notices: [ServiceNotice] = []
        if standing.isStopping, !saysStopping {
            saysStopping = true
            notices.append(.stopping)
        } else if standing.hasStarted, !isReady, !standing.isStopping {
            isReady = true
            notices.append(.ready)
        }
        if standing.status != told {
            told = standing.status
            notices.append(.status(standing.status))
        }
        // A service whose loops stand still gets no more time, and nobody says for it that all is well.
        guard standing.isAlive else { return notices }
        if standing.isStopping || !isReady, Self.isDue(lastProlongation, every: Self.prolongation.every, now) {
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
