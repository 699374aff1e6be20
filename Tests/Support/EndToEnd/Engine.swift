internal import FoundationEssentials
internal import Synchronization
public import Testing

/// A real counterpart that tests can be run against, when the environment names one.
public enum Engine: String, Sendable, CaseIterable {
    /// A Prefect server at `PREFECT_API_URL`.
    case prefectServer
    /// A Docker engine at `DOCKER_HOST`.
    case docker
    /// A Kubernetes cluster that the file `KUBECONFIG` describes.
    case kubernetes

    /// The variable that names it.
    public var variable: String {
        switch self {
        case .prefectServer: "PREFECT_API_URL"
        case .docker: "DOCKER_HOST"
        case .kubernetes: "KUBECONFIG"
        }
    }

    /// The variable's value, when it is set.
    public var address: String? {
        guard let value = ProcessInfo.processInfo.environment[variable], !value.isEmpty else { return nil }
        return value
    }

    /// Why a test that needs it does not run.
    public var skipComment: Comment {
        switch self {
        case .prefectServer: "needs a Prefect server that answers at PREFECT_API_URL"
        case .docker: "needs a Docker engine that takes connections at DOCKER_HOST"
        case .kubernetes: "needs a cluster whose kubeconfig KUBECONFIG names"
        }
    }

    /// Whether it is there; asked once and remembered.
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
    /// The test is skipped, with a comment that says why, unless all these are there.
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
