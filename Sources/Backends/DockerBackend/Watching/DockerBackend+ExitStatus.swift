internal import BackendKit

// The description of how a container ended.
extension DockerBackend {
    /// The number of lines of standard error that explain a crash.
    private static let lastLines = 20

    /// For how long after a container's end the Engine may still report that the container ran out of memory, in
    /// seconds. Docker takes this from the kernel apart from the end, and reported it up to 0.3 s later.
    private static let lateReport = 2.0

    /// How a container ended, with its last lines of standard error if it failed.
    func exitStatus(of container: String, _ end: ContainerEnd, _ facts: ContainerFacts?) async -> ExitStatus {
        var reasons: [String] = []
        let limit = facts?.memoryLimit.map(ByteCount.text)
        if end.wasOutOfMemory, end.exitCode != 0 {
            reasons.append(outOfMemory(limit))
        } else if end.exitCode == 137, !end.wasRemoved {
            if await isReportedLate(container, facts) {
                reasons.append(outOfMemory(limit))
            } else {
                let memory = limit.map { ", whose limit is \($0)" } ?? ""
                reasons.append(
                    "The container was killed (SIGKILL); the Engine did not report that it ran out of memory\(memory).")
            }
        }
        if let error = end.error { reasons.append("The Docker Engine reports: \(error).") }
        if end.wasRemoved {
            reasons.append("Container '\(facts?.name ?? container)' was removed by somebody else.")
        }
        var lastOutput: String?
        if let code = end.exitCode, code != 0, !end.wasRemoved {
            let bytes = try? await engine.lastErrors(
                of: container, hasTTY: facts?.hasTTY ?? false, lines: Self.lastLines)
            let text = String(decoding: (bytes ?? []).suffix(8 << 10), as: UTF8.self)
            lastOutput = text.lastIndex { !$0.isWhitespace }.map { String(text[...$0]) }
        }
        return ExitStatus(
            code: end.exitCode, lastOutput: lastOutput, reason: reasons.isEmpty ? nil : reasons.joined(separator: " "))
    }

    private func outOfMemory(_ limit: String?) -> String {
        "The container ran out of memory: the kernel killed it (OOM)\(limit.map { " at its limit of \($0)" } ?? "")."
    }

    private func isReportedLate(_ container: String, _ facts: ContainerFacts?) async -> Bool {
        guard let finished = facts?.finished else { return false }
        let report = try? await engine.reportsLackOfMemory(
            of: container, from: finished.adding(seconds: -Self.lateReport),
            to: finished.adding(seconds: Self.lateReport))
        return report ?? false
    }
}
