internal import Logging

/// How long runs wait for capacity or quota of a service before they count as refused. Backends list ``setting`` among
/// their settings.
public struct CapacityPatience: Sendable, Hashable {
    /// The setting that the worker's operator changes.
    public static let setting = BackendSetting(
        variable, expects: "a number of seconds", default: "3600",
        "The time for which a run waits for capacity or quota before it crashes. 0 or less: for any time.")

    private static let variable = "PREFECT_WORKER_CAPACITY_TIMEOUT_SECONDS"

    /// The longest wait; `nil` for any time.
    public let duration: Duration?
    /// The problem of the setting, in one line; its default applies then.
    public let problem: String?

    /// The patience that a worker's environment sets. Logs the problem of the setting, if it has one.
    public init(_ host: BackendHost) {
        self.init(host.environment[Self.variable])
        if let problem { host.logger.warning("\(problem)") }
    }

    init(_ text: String?) {
        guard let text, !text.isEmpty else {
            duration = .seconds(3600)
            problem = nil
            return
        }
        guard let seconds = Double(text), seconds.isFinite else {
            duration = .seconds(3600)
            problem = "\(Self.variable) should be \(Self.setting.expectation): its default applies; correct it"
            return
        }
        duration = seconds > 0 ? .seconds(min(seconds, 4_000_000_000)) : nil
        problem = nil
    }
}
