internal import BackendKit
internal import PrefectJSON

extension TaskStatus {
    /// How the task ended; `nil` while it has not.
    var end: ExitStatus? {
        guard hasEnded else { return nil }
        let codes = judged.map(\.exitCode)
        let code: Int? = codes.isEmpty || codes.contains(nil) ? nil : codes.compactMap { $0 }.first { $0 != 0 } ?? 0
        return ExitStatus(code: code, lastOutput: lastLines, reason: code == 0 ? nil : reason)
    }

    /// Whether the end is a crash as far as AWS knows, and nobody asked for it.
    var hasCrashed: Bool { end.map { $0.code != 0 } == true && stopCode != "UserInitiated" }

    /// Why the task did not end well: the cause and the remedy, in one line.
    private var reason: String? {
        let stated = (stoppedReason ?? containers.lazy.compactMap(\.reason).first ?? "").onOneLine
        let detail = stated.isEmpty ? "" : ": \(stated)"
        if let container = containers.first(where: { $0.reason?.contains("OutOfMemory") ?? false }) {
            return "The container '\(container.name)' used more memory than it may, and was killed (OutOfMemoryError). "
                + "Raise the job variable 'memory'."
        }
        if stated.contains("CannotPullContainer") {
            return "Container image pull failed\(detail). Check that the image exists, and that the execution role and "
                + "the network of the task permit its pull."
        }
        if stated.contains("ResourceInitializationError") {
            return "ECS task failed to start\(detail). Check that the execution role may read the task's secrets and "
                + "write its logs, and that the subnets reach these services."
        }
        if stated.contains("no longer available") || stated.contains("Capacity is unavailable") {
            return "ECS task failed to start\(detail). AWS had no capacity for it: try another zone, size or capacity "
                + "provider, or run the flow again later."
        }
        switch stopCode {
        case "SpotInterruption":
            return
                "AWS took back the Spot capacity of the task (SpotInterruption)\(detail). Give the flow retries, or use "
                + "the launch type FARGATE."
        case "TerminationNotice":
            return "AWS ended the machine of the task (TerminationNotice)\(detail). Give the flow retries."
        case "TaskFailedToStart":
            return
                "ECS task failed to start\(detail). Look at the stopped task in the console; usual causes are limits, "
                + "roles and networks."
        case "UserInitiated":
            return "The task was stopped by a request\(detail)."
        default:
            return exitReason(detail)
        }
    }

    /// The reason that exit codes give.
    private func exitReason(_ detail: String) -> String? {
        let judged = self.judged
        if judged.allSatisfy({ $0.exitCode == nil }) {
            let other = containers.first { $0.exitCode ?? 0 != 0 }.flatMap { container in
                container.exitCode.map { " The container '\(container.name)' exited with \($0)." }
            }
            return "AWS ended the task without an exit code\(detail).\(other ?? " Its machine may have been lost.")"
        }
        if judged.contains(where: { $0.exitCode == 137 }) {
            return
                "The container was killed (137)\(detail). Often the cause is its memory: raise the job variable 'memory'."
        }
        if judged.count > 1 {
            let failed = judged.filter { $0.exitCode ?? 1 != 0 }.map(\.name)
            return "The following containers stopped with a non-zero exit code: \(failed.joined(separator: ", "))."
        }
        return nil
    }
}
