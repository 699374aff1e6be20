import BackendKit
import FoundationEssentials
import TestSupport

/// The program under test.
enum WorkerProgram {
    /// The path of the program: `PREFECT_WORKER_BINARY`, or else the program next to the tests' own executable.
    static let path: String = {
        if let path = ProcessInfo.processInfo.environment["PREFECT_WORKER_BINARY"], !path.isEmpty { return path }
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return String(tests.prefix(upTo: tests.lastIndex(of: "/") ?? tests.startIndex)) + "/prefect-worker"
    }()

    /// An environment with a home directory and with only `PATH` from the tests' own environment.
    static func environment(home: String, _ others: [String: String] = [:]) -> [String: String] {
        [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "HOME": home,
            "PREFECT_HOME": home + "/prefect", "LANG": "C.UTF-8", "DO_NOT_TRACK": "1",
        ].merging(others) { $1 }
    }

    /// The result of a program that has ended.
    struct Outcome: Sendable {
        let status: ChildProcess.ExitStatus
        let output: [String]
        let errors: [String]

        /// The lines of standard output, then those of standard error.
        var text: String { (output + errors).joined(separator: "\n") }
    }

    /// Runs the program to its end.
    ///
    /// - Parameters:
    ///   - arguments: The arguments of the program.
    ///   - environment: The complete environment of the program.
    ///   - directory: The working directory.
    ///   - timeout: The time limit.
    static func run(
        _ arguments: [String], environment: [String: String], in directory: String, timeout: Duration = .seconds(90)
    ) async throws -> Outcome {
        try await withChildProcess(path, arguments, environment: environment, workingDirectory: directory) { worker in
            let status = try await worker.waitForExit(timeout: timeout)
            return Outcome(status: status, output: worker.output, errors: worker.errors)
        }
    }
}

extension ChildProcess {
    /// A pause after which the worker counts a second signal. Signals within one second count as one.
    static var signalWindow: Duration { .milliseconds(1100) }
}
