internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST

/// The settings of Prefect's AWS integration.
struct ECSSettings: Sendable, Hashable {
    /// The queue of task events; `nil` when it is not read.
    var queueName: String?
    /// The queue's region; `nil` for the region of the tasks.
    var queueRegion: String?
    /// The greatest number of lines of a crashed task that go into the run's log; 0 for none.
    var crashedLogLines = 500
    /// The policy for requests that run a task, which are safe to repeat.
    var creationRetries = Retries(
        limit: 2, repeatsApplied: true, shortestPause: .milliseconds(2500), longestPause: .milliseconds(2500),
        jitterFactor: 0.6)
    /// The policy for registrations. One whose answer was lost may be there already, and is not repeated at once.
    var registrationRetries = Retries(limit: 2, shortestPause: .seconds(1), longestPause: .seconds(10))
    /// One line for each invalid setting.
    private(set) var warnings: [String] = []

    /// Reads the settings.
    init(_ settings: IntegrationSettings) {
        var reader = Reader(settings: settings)
        if reader.flag(.observes) ?? true { queueName = reader.text(.queueName) ?? ECSSetting.queueName.defaultText }
        queueRegion = reader.text(.queueRegion)
        let lines = Int(reader.number(.crashedLogLines, in: 1...10_000) ?? 500)
        crashedLogLines = reader.flag(.forwardsCrashedLogs) ?? true ? lines : 0
        creationRetries.limit = Int(reader.number(.creationAttempts, in: 1...86_400) ?? 3) - 1
        let delay = reader.number(.creationDelay) ?? 1
        let least = reader.number(.leastCreationJitter) ?? 0
        let most = max(least, reader.number(.mostCreationJitter) ?? 3)
        let mean = delay + (least + most) / 2
        creationRetries.shortestPause = .pause(seconds: mean)
        creationRetries.longestPause = .pause(seconds: mean)
        creationRetries.jitterFactor = mean > 0 ? (most - least) / 2 / mean : 0
        registrationRetries.limit = Int(reader.number(.registrationAttempts, in: 1...86_400) ?? 3) - 1
        registrationRetries.shortestPause = .pause(seconds: reader.number(.registrationDelay) ?? 1)
        registrationRetries.longestPause = max(
            registrationRetries.shortestPause, .pause(seconds: reader.number(.longestRegistrationDelay) ?? 10))
        warnings = reader.warnings
    }

    private struct Reader {
        let settings: IntegrationSettings
        var warnings: [String] = []

        private func found(_ setting: ECSSetting) -> IntegrationSettings.Found? {
            let found = settings.found([setting.variable])
            return found?.value == "" ? nil : found
        }

        mutating func text(_ setting: ECSSetting) -> String? {
            guard let found = found(setting) else { return nil }
            return found.value.stringValue ?? warn(setting, found)
        }

        mutating func flag(_ setting: ECSSetting) -> Bool? {
            guard let found = found(setting) else { return nil }
            return found.value.boolValue ?? found.value.stringValue.flatMap(SettingText.bool) ?? warn(setting, found)
        }

        mutating func number(_ setting: ECSSetting, in range: ClosedRange<Double> = 0...86_400) -> Double? {
            guard let found = found(setting) else { return nil }
            let number = found.value.doubleValue ?? found.value.stringValue.flatMap { Double($0) }
            guard let number, range.contains(number) else { return warn(setting, found) }
            return number
        }

        private mutating func warn<Value>(_ setting: ECSSetting, _ found: IntegrationSettings.Found) -> Value? {
            warnings.append(
                "\(setting.variable) should be \(setting.expectation) (set by \(found.source)): its default applies; "
                    + "correct it")
            return nil
        }
    }
}
