internal import FoundationEssentials
internal import HTTPTransport
internal import PrefectJSON

// The sources of a cluster's configuration.
extension ClusterAccess {
    /// The cluster that the worker's environment specifies: the one that the worker runs in, else that of the
    /// kubeconfig's current context.
    static func surroundings(
        environment: [String: String], serviceAccount: String = inClusterDirectory
    ) throws(ClusterConfigurationError) -> ClusterAccess {
        if let access = try inCluster(environment: environment, directory: serviceAccount) { return access }
        return try kubeconfig(environment: environment).access()
    }

    /// The directory in which a pod finds its service account.
    static let inClusterDirectory = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// The cluster that the worker's own pod runs in; `nil` outside of a cluster.
    static func inCluster(
        environment: [String: String], directory: String
    ) throws(ClusterConfigurationError) -> ClusterAccess? {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty,
            let port = environment["KUBERNETES_SERVICE_PORT"], !port.isEmpty
        else { return nil }
        let token = "\(directory)/token"
        let authority = "\(directory)/ca.crt"
        for path in [token, authority] where !FileManager.default.isReadableFile(atPath: path) {
            throw ClusterConfigurationError(
                "The worker runs in a cluster but '\(path)' cannot be read; give its pod a service account with "
                    + "automountServiceAccountToken")
        }
        let namespace = FileManager.default.contents(atPath: "\(directory)/namespace").map {
            String(decoding: $0, as: UTF8.self).filter { !$0.isWhitespace }
        }
        return ClusterAccess(
            server: "https://\(host.contains(":") ? "[\(host)]" : host):\(port)",
            tls: TLSConfiguration(authorities: .file(authority)), proxyURL: nil, credentials: .tokenFile(token),
            namespace: namespace.flatMap { $0.isEmpty ? nil : $0 } ?? "default",
            origin: "cluster that the worker runs in")
    }

    /// The kubeconfig from the files of `KUBECONFIG`, separated by colons, or from `~/.kube/config`.
    static func kubeconfig(environment: [String: String]) throws(ClusterConfigurationError) -> Kubeconfig {
        let listed = environment["KUBECONFIG"] ?? ""
        let home = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "/root"
        let paths = listed.isEmpty ? ["\(home)/.kube/config"] : listed.split(separator: ":").map(String.init)
        var merged: Kubeconfig?
        for path in paths {
            // As in kubectl, a file of the list may be missing.
            guard FileManager.default.fileExists(atPath: path) else { continue }
            let next = try read(path)
            if merged == nil { merged = next } else { merged?.merge(next) }
        }
        guard let merged else {
            throw ClusterConfigurationError(
                "No cluster is configured: \(paths.joined(separator: ", ")) cannot be found; set KUBECONFIG to a "
                    + "kubeconfig file, or run the worker in a cluster with a service account")
        }
        return merged
    }

    private static func read(_ path: String) throws(ClusterConfigurationError) -> Kubeconfig {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ClusterConfigurationError("The kubeconfig \(path) cannot be read; check its permissions")
        }
        let directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        return try Kubeconfig(
            parse(String(decoding: data, as: UTF8.self), name: path), name: path,
            directory: path.hasPrefix("/") ? directory : (directory.isEmpty ? "." : directory))
    }

    private static func parse(_ text: String, name: String) throws(ClusterConfigurationError) -> JSONValue {
        do {
            return try YAMLDocument.parse(text)
        } catch {
            throw ClusterConfigurationError("The kubeconfig \(name) cannot be read: \(error); correct it")
        }
    }

    /// The cluster of a `KubernetesClusterConfig` block. The block holds the content of a kubeconfig, as an object or
    /// as text, and the name of a context in it. Relative paths in the content start from the worker's directory.
    ///
    /// - Parameter allowsHostCredentials: Whether the block may name programs and files of the worker's host. The
    ///   block comes from the API. So an author of blocks or job variables could run programs, and have files sent to
    ///   a server.
    static func block(
        _ block: JSONValue, allowsHostCredentials: Bool
    ) throws(ClusterConfigurationError) -> ClusterAccess {
        let name = "'cluster_config'"
        let content: JSONValue
        switch block["config"] {
        case .string(let text)?: content = try parse(text, name: name)
        case .object(let members)?: content = .object(members)
        default:
            throw ClusterConfigurationError(
                "The job variable 'cluster_config' holds no kubeconfig in 'config'; refer to a Kubernetes Cluster Config "
                    + "block")
        }
        return try Kubeconfig(content, name: name, directory: FileManager.default.currentDirectoryPath)
            .access(context: block["context_name"]?.stringValue, allowsHostCredentials: allowsHostCredentials)
    }
}
