internal import HTTPTransport
package import PrefectClient

/// Finds out the type of the pool to serve, before the worker starts anything.
package struct PoolDiscovery: Sendable {
    private let api: APIClient
    private let supportedTypes: [String]

    /// A discovery through an API, for the pool types that this program has a backend for.
    package init(api: APIClient, supportedTypes: [String]) {
        self.api = api
        self.supportedTypes = supportedTypes
    }

    /// The result of a discovery.
    package enum Finding: Sendable {
        /// A backend of this type can serve the pool. `pool` is `nil` when the pool has yet to be created; `notice` is
        /// a message for the user.
        case servable(type: String, pool: WorkPool?, notice: String?)
        /// The pool cannot be served, for a reason that does not pass by itself.
        case refused(reason: String)
        /// The API does not provide the answer at the moment.
        case unknown(APIError)
    }

    /// Finds a pool. `type` is the type that the user requested; `nil` uses the type of the pool.
    package func find(pool name: String, type: String?, createsPool: Bool) async throws -> Finding {
        if let type, !supportedTypes.contains(type) { return .refused(reason: unsupported(type, of: nil)) }
        let pool: WorkPool
        do {
            pool = try await api.readWorkPool(named: name, effort: .once)
        } catch let error as APIError {
            return missing(name, type: type, createsPool: createsPool, error)
        }
        if !supportedTypes.contains(pool.type) || (type != nil && type != pool.type) {
            if let reason = PoolSynchronizer.reasonNotToServe(pool, as: type ?? "process"),
                type != nil || pool.isPushPool || pool.isManagedPool || pool.type == "prefect-agent"
            {
                return .refused(reason: reason)
            }
            return .refused(reason: unsupported(pool.type, of: name))
        }
        let notice = type == nil ? "Discovered type '\(pool.type)' for work pool '\(name)'." : nil
        return .servable(type: pool.type, pool: pool, notice: notice)
    }

    private func missing(_ name: String, type: String?, createsPool: Bool, _ error: APIError) -> Finding {
        if case .noAnswer(let cause) = error.kind, cause.kind == .invalidRequest {
            return .refused(
                reason: "PREFECT_API_URL cannot be used: \(cause.cause); set it to a URL like "
                    + "http://127.0.0.1:4200/api")
        }
        if error.isPermanent { return .refused(reason: error.description) }
        guard error.isNotFound else { return .unknown(error) }
        let type = type ?? usualType
        let notice = "Work pool '\(name)' does not exist and will be created with the type '\(type)'."
        return .servable(type: type, pool: nil, notice: createsPool ? notice : nil)
    }

    /// The type of a pool that has yet to be created, unless the user requested another one.
    private var usualType: String {
        supportedTypes.contains("process") ? "process" : supportedTypes.first ?? "process"
    }

    private func unsupported(_ type: String, of pool: String?) -> String {
        let subject =
            pool.map { "Work pool '\($0)' has the type '\(type)'" } ?? "The worker type '\(type)' is not known"
        return "\(subject); this worker runs: \(supportedTypes.joined(separator: ", "))"
    }
}
