internal import PrefectConcurrency
internal import Subprocess
internal import SystemPackage

/// A program that the worker runs for a short answer, such as a credential helper. It leads a process group of its own,
/// which ends with the wait for the answer.
package struct HelperProgram: Sendable {
    /// The path of the program, or its name on the PATH of the worker.
    let command: String
    let arguments: [String]
    let environment: [String: String]
    /// The text on its standard input.
    let input: String
    /// The time limit for its answer.
    let limit: Duration

    /// The reason why a program has no answer. The description follows the program's name.
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// The answer of a program.
    package struct Answer: Sendable {
        /// Whether the program ended with the status 0.
        package let isSuccess: Bool
        /// How the program ended, for people: `status 1`, or a signal.
        package let ending: String
        /// Its standard output; at most a megabyte is read.
        package let output: String
        /// The last line of its standard error, if there is one.
        package let lastError: String?
    }

    private static let largestOutput = 1 << 20
    private static let largestErrors = 1 << 16

    /// Describes a program and its input.
    package init(
        _ command: String, arguments: [String], environment: [String: String], input: String = "", limit: Duration
    ) {
        self.command = command
        self.arguments = arguments
        self.environment = environment
        self.input = input
        self.limit = limit
    }

    /// Runs the program. Throws ``Failure`` when it cannot be run, does not answer in time, or writes too much, and
    /// `CancellationError` on cancellation of the task.
    package func run() async throws -> Answer {
        let values = Dictionary(
            environment.map { (Environment.Key(stringLiteral: $0.key), $0.value) }, uniquingKeysWith: { $1 })
        let executable: Executable = command.contains("/") ? .path(FilePath(command)) : .name(command)
        do {
            return try await withDeadline(limit, for: command) {
                var platform = PlatformOptions()
                platform.processGroupID = 0
                platform.teardownSequence = [
                    .send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .zero)
                ]
                let result = try await Subprocess.run(
                    executable, arguments: Arguments(arguments), environment: .custom(values),
                    platformOptions: platform, input: .string(input), output: .string(limit: Self.largestOutput),
                    error: .string(limit: Self.largestErrors))
                let lines = result.standardError.split(whereSeparator: \.isNewline)
                return Answer(
                    isSuccess: result.terminationStatus.isSuccess, ending: Self.text(result.terminationStatus),
                    output: result.standardOutput, lastError: lines.last.map(String.init))
            }
        } catch let error as SubprocessError {
            try Task.checkCancellation()
            let reason = error.description.split(whereSeparator: \.isNewline).first ?? ""
            throw Failure(description: "cannot be run: \(reason)")
        } catch is DeadlineExceeded {
            throw Failure(description: "did not answer within \(limit); find out what it waits for")
        }
    }

    private static func text(_ status: TerminationStatus) -> String {
        switch status {
        case .exited(let code): "status \(code)"
        case .signaled(let signal): "signal \(signal)"
        }
    }
}
