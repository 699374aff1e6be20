internal import FoundationEssentials
internal import Synchronization
public import Testing

/// A real system for tests, available when the environment names one.
public enum Engine: String, Sendable, CaseIterable {
    /// A Prefect server at `PREFECT_API_URL`.
    case prefectServer
    /// A Docker engine at `DOCKER_HOST`.
    case docker
    /// A Kubernetes cluster described by the file `KUBECONFIG`.
    case kubernetes

    /// The variable that names the system.
    public var variable: String {
        switch self {
        case .prefectServer: "PREFECT_API_URL"
        case .docker: "DOCKER_HOST"
        case .kubernetes: "KUBECONFIG"
        }
    }

    /// The variable's value, if it is set.
    public var address: String? {
        guard let value = ProcessInfo.processInfo.environment[variable], !value.isEmpty else { return nil }
        return value
    }

    /// Why a test that needs the system does not run.
    public var skipComment: Comment {
        switch self {
        case .prefectServer: "needs a Prefect server that answers at PREFECT_API_URL"
        case .docker: "needs a Docker engine that takes connections at DOCKER_HOST"
        case .kubernetes: "needs a cluster whose kubeconfig KUBECONFIG names"
        }
    }

    /// Whether the system is available. The first answer is stored.
    public var isAvailable: Bool {
        get async {
            if let known = Self.known.withLock({ $0[self] }) { return known }
            let answer = await isAnswering()
            Self.known.withLock { $0[self] = answer }
            return answer
        }
    }

    private static let known = Mutex<[Engine: Bool]>([:])

    private func isAnswering() async -> Bool {
        guard let address else { return false }
        switch self {
        case .prefectServer:
            guard var client = try? PrefectServerClient(url: address, patience: .seconds(5)) else { return false }
            client.timeout = .seconds(15)
            return (try? await client.send("GET", "/health").status) == 200
        case .docker:
            if address.hasPrefix("unix://") {
                return await RawConnection.accepts(unixSocket: String(address.dropFirst("unix://".count)))
            }
            let url = address.hasPrefix("tcp://") ? "http://" + address.dropFirst("tcp://".count) : address
            guard let probe = try? await RawConnection.connect(to: url) else { return false }
            await probe.close()
            return true
        case .kubernetes:
            return address.split(separator: ":").allSatisfy { FileManager.default.isReadableFile(atPath: String($0)) }
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, with a comment that states the reason, unless all these systems are available.
    public static func requires(_ engines: Engine...) -> Self {
        let comment = engines.map { "\($0.skipComment)" }.joined(separator: "; ")
        return .enabled(Comment(rawValue: comment)) {
            for engine in engines {
                guard await engine.isAvailable else { return false }
            }
            return true
        }
    }
}
