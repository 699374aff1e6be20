import FoundationEssentials
import TestSupport

/// The program under test.
enum WorkerProgram {
    /// Where it is: as `PREFECT_WORKER_BINARY` says, else beside the tests' own program.
    static let path: String = {
        if let path = ProcessInfo.processInfo.environment["PREFECT_WORKER_BINARY"], !path.isEmpty { return path }
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return String(tests.prefix(upTo: tests.lastIndex(of: "/") ?? tests.startIndex)) + "/prefect-worker"
    }()

    /// An environment with nothing of the tests' own but where programs are, and a home in a folder.
    static func environment(home: String, _ others: [String: String] = [:]) -> [String: String] {
        [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "HOME": home,
            "PREFECT_HOME": home + "/prefect", "LANG": "C.UTF-8", "DO_NOT_TRACK": "1",
        ].merging(others) { $1 }
    }

    /// What a program that has ended left.
    struct Outcome: Sendable {
        let status: ChildProcess.ExitStatus
        let output: [String]
        let errors: [String]

        /// Everything it wrote.
        var text: String { (output + errors).joined(separator: "\n") }
    }

    /// Runs the program to its end.
    ///
    /// - Parameters:
    ///   - arguments: Its arguments.
    ///   - environment: All of its environment.
    ///   - folder: Where it runs.
    ///   - timeout: How long it may take.
    static func run(
        _ arguments: [String], environment: [String: String], in folder: String, timeout: Duration = .seconds(90)
    ) async throws -> Outcome {
        try await withChildProcess(path, arguments, environment: environment, workingDirectory: folder) { worker in
            let status = try await worker.waitForExit(timeout: timeout)
            return Outcome(status: status, output: worker.output, errors: worker.errors)
        }
    }
}

extension ChildProcess {
    /// Signals that come within a second count as one for the worker; this is a little longer.
    static var signalWindow: Duration { .milliseconds(1100) }
}
