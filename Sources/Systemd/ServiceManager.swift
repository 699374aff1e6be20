internal import CSystemd
internal import Glibc

/// The service manager that started this process, when one did and wants to be told how it goes (`NOTIFY_SOCKET`).
/// Mirrors `sd_notify(3)`.
public enum ServiceManager {
    /// Whether anybody is to be told.
    public static var isListening: Bool { getenv("NOTIFY_SOCKET") != nil }

    /// Says in one line what the service does at the moment; `systemctl status` shows it.
    public static func setStatus(_ text: String) {
        notify("STATUS=" + text.split(whereSeparator: \.isNewline).joined(separator: " "))
    }

    /// Says that the service is on its way out.
    public static func setStopping() { notify("STOPPING=1") }

    private static func notify(_ state: String) { sd_notify(0, state) }

    /// Variables that a service manager gives to this process alone: who inherited them would speak in its name.
    public static let ownVariables: Set<String> = [
        "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
        "LISTEN_PIDFDID",
    ]
}
