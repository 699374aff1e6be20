internal import BackendKit
internal import PrefectREST

/// The meaning of a cluster's refusal for a flow run, and the remedy.
enum Refusal {
    /// The error for a failed operation in a namespace, like `create jobs`.
    static func error(
        _ error: KubernetesError, doing what: String, verb: String, namespace: String, access: ClusterAccess
    ) -> InfrastructureError {
        let kind: InfrastructureError.Kind = error.isTransient ? .unavailable : .refused
        return InfrastructureError(
            kind, "\(what): \(explanation(error, verb: verb, namespace: namespace, access: access))")
    }

    /// The cause and the remedy, in one line.
    static func explanation(
        _ error: KubernetesError, verb: String, namespace: String, access: ClusterAccess
    ) -> String {
        // A list of the whole cluster names no namespace.
        let place = namespace.isEmpty ? "the whole cluster" : "the namespace '\(namespace)'"
        let text = error.message.lowercased()
        switch error.kind {
        case .unauthorized:
            return "the cluster \(access.server) does not accept the worker's credentials (401); renew those of the "
                + access.origin
        case .forbidden where text.contains("quota"):
            return
                "a quota of the namespace '\(namespace)' is exceeded: \(error.detail); lower the job's requests, or "
                + "raise the quota"
        case .forbidden where text.contains("being terminated"):
            return "the namespace '\(namespace)' is being deleted; choose another one"
        case .forbidden:
            return
                "the worker may not \(verb) in \(place): \(error.detail); give its service account "
                + "a role that allows it"
        case .notFound:
            return "the namespace '\(namespace)' does not exist; create it, or correct the job variable 'namespace'"
        case .refused where !error.causes.isEmpty:
            let causes = error.causes.prefix(5).map { cause in
                let message = cause.message.split(whereSeparator: \.isNewline).joined(separator: " ").prefix(200)
                return cause.field.isEmpty ? "\(message)" : "\(cause.field): \(message)"
            }
            return "the cluster refuses the job manifest (\(error.status ?? 422)): \(causes.joined(separator: "; ")); "
                + "correct it"
        case .refused, .conflict, .alreadyExists, .expired:
            return "the cluster refuses the request (\(error.status ?? 400)): \(error.detail); correct the job manifest"
        case .overloaded:
            return "the cluster cannot serve the request at the moment (\(error.status ?? 500)): \(error.detail)"
        case .unreachable:
            return "the cluster \(access.server) cannot be reached: \(error.detail)"
        case .unreadable: return "the cluster's answer cannot be understood: \(error.detail)"
        case .configuration: return error.detail
        }
    }
}
