internal import BackendKit
internal import PrefectConcurrency

extension JobProgress {
    /// How the run's infrastructure ended, as far as the job and its pods show.
    func exit(jobName: String, lastOutput: String?) -> ExitStatus {
        let pod = latestPod
        let code = pod?.termination?.exitCode
        switch end {
        case .complete?: return ExitStatus(code: 0)
        case .failed(let reason, let message)?:
            // A pod can fail although its flow has ended well, for example when it is evicted at that moment.
            return ExitStatus(
                code: code == 0 ? nil : code, lastOutput: lastOutput,
                reason: pod.flatMap { Diagnosis($0) }?.line
                    ?? (isDeleting ? Self.deletion(of: jobName) : Self.explanation(reason, message, code: code)))
        case .gone?, nil:
            return ExitStatus(
                code: code, lastOutput: lastOutput,
                reason: pod.flatMap { Diagnosis($0) }?.line ?? Self.deletion(of: jobName))
        }
    }

    private static func deletion(of jobName: String) -> String {
        "Kubernetes job '\(jobName)' was deleted. If this was not intended, check for a time to live that is too "
            + "short, or for a clean-up of the namespace."
    }

    private static func explanation(_ reason: String, _ message: String, code: Int?) -> String? {
        switch reason {
        case "DeadlineExceeded":
            "The Kubernetes job took longer than allowed (DeadlineExceeded). Raise 'activeDeadlineSeconds' in the "
                + "job manifest."
        case _ where code != nil && code != 0: nil
        default: "The Kubernetes job failed: \(message.isEmpty ? reason : message)."
        }
    }
}
