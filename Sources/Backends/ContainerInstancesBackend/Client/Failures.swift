internal import AzureAccess
internal import BackendKit
internal import PrefectREST

/// Says what a failure of Azure means for the engine, and what the user can do.
enum Failures {
    /// The codes with which Azure reports a lack of capacity, quota or throughput that passes.
    private static let full: Set<String> = [
        "ContainerGroupQuotaReached", "QuotaExceeded", "ResourceQuotaExceeded", "ServiceUnavailable",
        "ContainerGroupTransitioning", "InsufficientCapacity", "RegionCapacityExceeded", "DeploymentQuotaExceeded",
        "TooManyRequests", "SubscriptionRequestsThrottled", "ResourceRequestsThrottled", "RequestThrottled",
        "ResourceCollectionRequestsThrottled", "OperationPreempted", "AnotherOperationInProgress", "RetryableError",
    ]

    /// The codes of a failure of Azure itself.
    private static let transient: Set<String> = [
        "InternalServerError", "InternalError", "ServerTimeout", "GatewayTimeout", "RequestTimeout",
        "ServerBusy",
    ]

    /// The error for a failed request.
    ///
    /// - Parameter isCreation: Whether the request creates a group, so that throttling makes the run wait.
    static func error(
        _ failure: RequestFailure, in place: ResourceGroup, isCreation: Bool = false
    ) -> RemoteTaskError {
        let message = failure.message.trimmedSentence
        let code = failure.reason.code
        switch failure.kind {
        case .notSigned: return RemoteTaskError(.refused, message)
        case .transport, .malformed, .reported:
            return RemoteTaskError(
                .unavailable(isUnapplied: !failure.mayHaveBeenApplied), "\(failure.operation): \(message)",
                retryAfter: failure.retryAfter)
        case .status: break
        }
        let named = code.isEmpty ? "\(failure.status.map { "\($0)" } ?? ""): \(message)" : "\(code): \(message)"
        if isCreation, failure.status == 429 || full.contains(code) && (failure.status ?? 0) < 500 {
            return RemoteTaskError(.full, waiting(code, message), retryAfter: failure.retryAfter)
        }
        if failure.isTransient || failure.status == 429 {
            return RemoteTaskError(
                .unavailable(isUnapplied: !failure.mayHaveBeenApplied), "\(failure.operation): \(named)",
                retryAfter: failure.retryAfter)
        }
        switch (failure.status, code) {
        case (404, "SubscriptionNotFound"):
            return RemoteTaskError(
                .refused,
                "The subscription does not exist or the credentials do not reach it (\(message)); correct the job variable "
                    + "'subscription_id'")
        case (404, "ResourceGroupNotFound"):
            return RemoteTaskError(
                .refused,
                "The resource group '\(place.name)' does not exist; create it or correct the job variable "
                    + "'resource_group_name'")
        case (404, _): return RemoteTaskError(.notFound, named)
        case (401, _):
            return RemoteTaskError(.refused, "Azure refuses the credentials (\(named)); correct or renew them")
        case (403, _): return RemoteTaskError(.refused, forbidden(message, place))
        case (409, _) where !isCreation:
            return RemoteTaskError(.unavailable(isUnapplied: true), "\(failure.operation): \(named)")
        default: return RemoteTaskError(.refused, "Azure refuses to \(failure.operation): \(named)")
        }
    }

    /// The error for a deployment that failed.
    static func error(_ fault: ResourceFault, of task: GroupTask) -> RemoteTaskError {
        if let code = fault.codes.first(where: full.contains) {
            return RemoteTaskError(.full, waiting(code, fault.message))
        }
        if let code = fault.codes.first(where: transient.contains), code == fault.code {
            return RemoteTaskError(.full, "Azure failed to deploy container group '\(task.group)': \(fault.message)")
        }
        let named = fault.message.isEmpty ? fault.code : "\(fault.code): \(fault.message)"
        return RemoteTaskError(
            .refused, "Azure could not create container group '\(task.group)': \(named)\(remedy(for: fault))")
    }

    private static func waiting(_ code: String, _ message: String) -> String {
        let named = code.isEmpty ? message : "\(code): \(message)"
        return "Azure Container Instances has no room for the run at the moment (\(named))"
    }

    private static func remedy(for fault: ResourceFault) -> String {
        switch fault.code {
        case "InaccessibleImage", "ImagePullError":
            "; correct the job variable 'image', or give its private registry as 'image_registry'"
        case "RegistryErrorResponse": "; the registry gave an error: check it, and the job variable 'image_registry'"
        case "AuthorizationFailed", "LinkedAuthorizationFailed": "; give the worker's identity a role that permits this"
        case "InvalidTemplate", "InvalidTemplateDeployment": "; correct the base job template's 'arm_template'"
        case "ContainerGroupInvalidCpu", "ContainerGroupInvalidMemory", "ResourceRequestsInvalid":
            "; correct the job variables 'cpu' and 'memory'"
        default: ""
        }
    }

    /// Azure's message contains `… does not have authorization to perform action 'A' over scope 'S' …`.
    private static func forbidden(_ message: String, _ place: ResourceGroup) -> String {
        guard let start = message.firstRange(of: "perform action '"),
            let end = message[start.upperBound...].firstIndex(of: "'")
        else {
            return
                "Azure forbids the request in resource group '\(place.name)': \(message); give the worker's identity a "
                + "role that permits it"
        }
        return "The worker's identity lacks the permission '\(message[start.upperBound..<end])' in resource group "
            + "'\(place.name)'; give it a role that has this permission"
    }
}
