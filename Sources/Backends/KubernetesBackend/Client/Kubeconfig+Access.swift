internal import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

// Resolving a context into the access to its cluster.
extension Kubeconfig {
    /// The access that the named context defines, or else the current context.
    ///
    /// - Parameter allowsHostCredentials: Whether programs and files of the worker's host are accepted.
    func access(
        context wanted: String? = nil, allowsHostCredentials: Bool = true
    ) throws(ClusterConfigurationError) -> ClusterAccess {
        guard let contextName = wanted ?? currentContext else {
            throw ClusterConfigurationError(
                "The kubeconfig \(name) has no current context; choose one with 'kubectl config use-context'")
        }
        guard let context = contexts[contextName] else {
            let known = contexts.keys.sorted().map { "'\($0)'" }.joined(separator: ", ")
            throw ClusterConfigurationError(
                "The kubeconfig \(name) has no context '\(contextName)'; it has: \(known.isEmpty ? "none" : known)")
        }
        let origin = "context '\(contextName)' of \(name)"
        let clusterName = context.fields["cluster"]?.stringValue ?? ""
        guard let cluster = clusters[clusterName] else {
            throw ClusterConfigurationError(
                "The \(origin) names the cluster '\(clusterName)', which does not exist; correct the kubeconfig")
        }
        let user: Entry
        if let userName = context.fields["user"]?.stringValue, !userName.isEmpty {
            guard let found = users[userName] else {
                throw ClusterConfigurationError(
                    "The \(origin) names the user '\(userName)', who does not exist; correct the kubeconfig")
            }
            user = found
        } else {
            user = Entry(fields: [:], directory: context.directory)
        }
        if !allowsHostCredentials {
            try cluster.refuse(["certificate-authority"], of: "cluster '\(clusterName)'")
            try user.refuse(
                ["exec", "auth-provider", "tokenFile", "client-certificate", "client-key"],
                of: "user '\(context.fields["user"]?.stringValue ?? "")'")
        }
        guard let server = cluster.text("server") else {
            throw ClusterConfigurationError("The cluster '\(clusterName)' of \(name) has no 'server'; add its URL")
        }
        var tls = TLSConfiguration()
        tls.verifyPeer = cluster.fields["insecure-skip-tls-verify"]?.boolValue != true
        if let pem = try cluster.inline("certificate-authority-data", of: origin) {
            tls.authorities = .pem(pem)
        } else if let path = cluster.path("certificate-authority") {
            tls.authorities = .file(path)
        }
        tls.serverName = cluster.text("tls-server-name")
        tls.clientCertificate = try user.clientCertificate(of: origin)
        return ClusterAccess(
            server: server.trimmingTrailingSlashes, tls: tls, proxyURL: cluster.text("proxy-url"),
            credentials: try user.credentials(of: origin, cluster: cluster),
            namespace: context.text("namespace") ?? "default", origin: origin)
    }
}

extension Kubeconfig.Entry {
    /// Refuses members that name programs or files of the worker's host.
    fileprivate func refuse(_ members: [String], of owner: String) throws(ClusterConfigurationError) {
        for member in members {
            guard let value = fields[member], !value.isNull, value != "" else { continue }
            throw ClusterConfigurationError(
                "The job variable 'cluster_config' has '\(member)' for the \(owner), which names programs or files of "
                    + "the worker's host; use inline data (\(Self.remedy(member))), or --allow-host-credentials")
        }
    }

    private static func remedy(_ member: String) -> String {
        switch member {
        case "exec", "auth-provider", "tokenFile": "token"
        default: "\(member)-data"
        }
    }

    /// The text of a member; `nil` if the text is missing or empty.
    fileprivate func text(_ key: String) -> String? {
        fields[key]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The path in a member; a relative path starts from the directory of the file.
    fileprivate func path(_ key: String) -> String? {
        text(key).map { $0.hasPrefix("/") ? $0 : "\(directory)/\($0)" }
    }

    /// The bytes that a member encodes in base64.
    fileprivate func inline(_ key: String, of origin: String) throws(ClusterConfigurationError) -> [UInt8]? {
        guard let text = text(key) else { return nil }
        guard let data = Data(base64Encoded: String(text.filter { !$0.isWhitespace })) else {
            throw ClusterConfigurationError("'\(key)' of the \(origin) is not base64; encode it again")
        }
        return [UInt8](data)
    }

    private func content(
        _ key: String, of origin: String
    ) throws(ClusterConfigurationError) -> [UInt8]? {
        if let bytes = try inline("\(key)-data", of: origin) { return bytes }
        guard let path = path(key) else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ClusterConfigurationError(
                "'\(key)' of the \(origin) cannot be read from '\(path)'; check the path and its permissions")
        }
        return [UInt8](data)
    }

    fileprivate func clientCertificate(
        of origin: String
    ) throws(ClusterConfigurationError) -> TLSConfiguration.ClientCertificate? {
        // The files are read for each connection, so that renewed ones are used.
        if text("client-certificate-data") == nil, text("client-key-data") == nil,
            let certificate = path("client-certificate"), let key = path("client-key")
        {
            return .files(certificate: certificate, key: key)
        }
        guard let certificate = try content("client-certificate", of: origin) else { return nil }
        guard let key = try content("client-key", of: origin) else {
            throw ClusterConfigurationError("The \(origin) has a client certificate without its key; add 'client-key'")
        }
        return .pem(certificate: certificate, key: key)
    }

    fileprivate func credentials(
        of origin: String, cluster: Kubeconfig.Entry
    ) throws(ClusterConfigurationError) -> ClusterAccess.Credentials {
        // As in kubectl, a token file takes precedence over a token.
        if let file = path("tokenFile") { return .tokenFile(file) }
        if let token = text("token") { return .token(token) }
        if let user = text("username") { return .basic(user: user, password: text("password") ?? "") }
        if let exec = fields["exec"], !exec.isNull {
            return .plugin(try CredentialPlugin(exec, cluster: cluster.fields, directory: directory, origin: origin))
        }
        // Some kubeconfigs still hold a token of a provider that was once built into kubectl.
        if let token = fields["auth-provider"]?["config"]?["id-token"]?.stringValue { return .token(token) }
        return .none
    }
}

extension String {
    fileprivate var trimmingTrailingSlashes: String {
        var text = self[...]
        while text.last == "/" { text = text.dropLast() }
        return String(text)
    }
}
