internal import AWSAccess
internal import BackendKit
internal import HTTPTransport
internal import PrefectJSON
internal import PrefectREST

/// Turns the failures of requests to AWS into those of a remote task.
struct ECSFailure: Sendable {
    /// The cluster in messages.
    let cluster: String
    let region: String

    /// Runs requests, and converts their errors.
    func converting<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let failure as RequestFailure {
            throw remoteError(failure)
        } catch let error as InfrastructureError {
            throw RemoteTaskError(.refused, error.message, exitCode: error.exitCode)
        }
    }

    /// The error of a request.
    func remoteError(_ failure: RequestFailure) -> RemoteTaskError {
        let text = "\(failure.operation) failed: \(failure.message)"
        if failure.isThrottling {
            return RemoteTaskError(.unavailable(isUnapplied: true), text, retryAfter: failure.retryAfter)
        }
        if Self.isFull(failure.message) {
            return RemoteTaskError(.full, "AWS has no capacity or quota for the task: \(failure.message)")
        }
        if failure.transportError?.kind == .couldNotResolve {
            return RemoteTaskError(
                .unavailable(isUnapplied: true),
                "\(text). Check that the region '\(region)' exists, and the DNS of this machine")
        }
        if failure.isTransient {
            return RemoteTaskError(
                .unavailable(isUnapplied: !failure.mayHaveBeenApplied), text, retryAfter: failure.retryAfter)
        }
        if case .malformed = failure.kind { return RemoteTaskError(.unavailable(isUnapplied: false), text) }
        if case .notSigned = failure.kind { return RemoteTaskError(.refused, failure.message) }
        if failure.hasExpiredKeys {
            return RemoteTaskError(
                .unavailable(isUnapplied: true), "the AWS credentials have expired (\(failure.message)); renew them")
        }
        return RemoteTaskError(Self.isMissingTask(failure) ? .notFound : .refused, explanation(of: failure))
    }

    /// Whether a message says that there is no room at the moment.
    static func isFull(_ message: String) -> Bool {
        let lower = message.lowercased()
        let marks = [
            "resource:", "capacity is unavailable", "no capacity", "reached the limit", "no container instances",
            "unable to place a task",
        ]
        return message == "AGENT" || marks.contains { lower.contains($0) }
    }

    private static func isMissingTask(_ failure: RequestFailure) -> Bool {
        failure.reason.code == "InvalidParameterException" && failure.message.contains("task was not found")
    }

    /// The cause and the remedy of a refusal.
    func explanation(of failure: RequestFailure) -> String {
        let message = failure.message
        if failure.hasUnknownKeys {
            return
                "AWS does not accept the credentials (\(failure.reason.code): \(message)); correct the keys, and check "
                + "the clock of this machine"
        }
        if failure.isDenied {
            return "the worker's AWS identity may not \(failure.operation) (\(message)); allow the action in its policy"
        }
        switch failure.reason.code {
        case "ClusterNotFoundException":
            return "cluster '\(cluster)' not found in \(region). Confirm that the cluster is configured in your region"
        case "InvalidParameterException" where Self.concernsNetwork(message):
            return "AWS refuses the network of the task: \(message). Check subnets, security groups and 'vpc_id'"
        default: break
        }
        if message.contains("TaskDefinition is inactive") {
            return
                "the task definition is inactive. Register it again, or remove the job variable 'task_definition_arn'"
        }
        if message.contains("Unable to describe task definition") {
            return "the task definition does not exist in \(region) (\(message)). Correct the job variable "
                + "'task_definition_arn'"
        }
        if message.contains("Overrides length") {
            return "the environment and the command of the run are too long for a request (\(message)). Put large "
                + "variables into the task definition or into secrets of AWS"
        }
        if message.contains("failed to validate logger args") {
            return "the execution role may not write logs (\(message)). Allow it logs:CreateLogStream, "
                + "logs:CreateLogGroup and logs:PutLogEvents"
        }
        if message.lowercased().contains("capacity provider") {
            return "AWS refuses the capacity provider: \(message). Check the job variable 'capacity_provider_strategy' "
                + "and the providers of the cluster"
        }
        return "\(failure.operation) is refused: \(message)"
    }

    private static func concernsNetwork(_ message: String) -> Bool {
        let lower = message.lowercased()
        return ["subnet", "security group", "network"].contains { lower.contains($0) }
    }

    /// The error for a failure within the answer to `RunTask`.
    static func placement(_ reason: String) -> RemoteTaskError {
        if isFull(reason) {
            return RemoteTaskError(.full, "AWS cannot place the ECS task at the moment: \(reason)")
        }
        return RemoteTaskError(
            .refused, "Failed to run ECS task: \(reason). Check the cluster and the placement of the task definition")
    }
}
