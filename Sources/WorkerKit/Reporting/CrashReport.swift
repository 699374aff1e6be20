internal import BackendKit

/// The report of a run whose infrastructure has ended without a report of its own.
struct CrashReport: Sendable, Hashable {
    /// The message of the state, for people.
    let message: String
    private let lastOutput: String?
    private let resolution: String?

    /// A report of an end, with an explanation by the caller.
    init(_ explanation: String, _ status: ExitStatus, resolution: String?) {
        var message = explanation
        if let line = status.lastOutput.flatMap(ErrorLine.line(of:)) { message += " Last output: \(line.prefix(300))" }
        self.message = message
        lastOutput = status.lastOutput.flatMap { $0.isEmpty ? nil : $0 }
        self.resolution = resolution
    }

    /// A report of an end, with an explanation that follows from the exit status.
    init(_ status: ExitStatus) {
        if let code = status.code {
            let hint = ExitHint(code: code)
            self.init(
                "Flow run infrastructure exited with non-zero status code \(code). "
                    + (status.reason ?? hint.explanation),
                status, resolution: hint.resolution)
        } else {
            self.init(
                status.reason.map { "Flow run infrastructure ended without an exit code. \($0)" }
                    ?? "Flow run infrastructure ended while no worker was watching it.",
                status, resolution: nil)
        }
    }

    /// Writes the details that the state omits into the run's log, once the API has accepted the state.
    ///
    /// - Parameter outputIsPrinted: Whether the worker has already printed the run's output, so that only the API's log
    ///   of the run needs its last lines.
    func log(flowRunID: String, to reporter: any JobReporter, outputIsPrinted: Bool) {
        if let lastOutput {
            let text = "The last lines of standard error:\n\(lastOutput)"
            if outputIsPrinted { reporter.logAtAPI(.error, text) } else { reporter.log(.error, text) }
        }
        reporter.log(.info, "Reported flow run '\(flowRunID)' as crashed: \(message)")
        if let resolution { reporter.log(.info, resolution) }
    }
}
