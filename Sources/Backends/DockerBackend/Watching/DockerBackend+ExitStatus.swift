internal import BackendKit

// The description of how a container ended.
extension DockerBackend {
    /// The number of lines of standard error that explain a crash.
    private static let lastLines = 20

    /// How a container ended, with its last lines of standard error if it failed.
    func exitStatus(of container: String, _ end: ContainerEnd, _ facts: ContainerFacts?) async -> ExitStatus {
        var reasons: [String] = []
        if end.wasOutOfMemory, end.exitCode != 0 {
            let limit = facts?.memoryLimit.map { " at its limit of \(ByteCount.text($0))" } ?? ""
            reasons.append("The container ran out of memory: the kernel killed it (OOM)\(limit).")
        }
        if end.exitCode == 137, !end.wasOutOfMemory, !end.wasRemoved {
            reasons.append("The container was killed (SIGKILL); the Engine did not report that it ran out of memory.")
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
}
