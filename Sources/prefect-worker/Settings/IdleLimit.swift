import ArgumentParser
import PrefectJSON
import WorkerKit

/// The time without runs after which a worker exits.
enum IdleLimit {
    private static let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
    private static let range = 1...Duration.longestPause

    /// Reads the argument of `--exit-when-idle`: a number with a unit, or of seconds.
    static func duration(argument: String) throws -> Duration {
        let unit = argument.last.flatMap { units[$0] }
        let number = unit == nil ? argument : String(argument.dropLast())
        guard let number = Double(number), case let seconds = number * (unit ?? 1), range.contains(seconds),
            let duration = Duration(checkedSeconds: seconds)
        else {
            throw ValidationError(
                "--exit-when-idle must be a time of at least one second, like 90s, 10m or 2h, not '\(argument)'")
        }
        return duration
    }

    /// Reads the variable; `nil` without one.
    static func duration(in environment: [String: String]) throws -> Duration? {
        try Duration.seconds(of: "PREFECT_WORKER_EXIT_WHEN_IDLE_SECONDS", from: range.lowerBound, in: environment)
    }
}

extension Duration {
    /// Reads a variable with a number of seconds of at least `least`; `nil` without one.
    static func seconds(
        of variable: String, from least: Double, in environment: [String: String]
    ) throws -> Duration? {
        guard let text = environment[variable], !text.isEmpty else { return nil }
        guard let duration = Duration(secondsText: text, in: least...longestPause) else {
            throw Refusal("\(variable) must be a number of seconds from \(Int(least)) to 1000000000, not '\(text)'")
        }
        return duration
    }
}
