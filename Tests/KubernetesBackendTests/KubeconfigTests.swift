import Foundation
import HTTPTransport
import PrefectJSON
import TestSupport
import Testing

@testable import KubernetesBackend

@Suite("Kubeconfig files")
struct KubeconfigTests {
    private static let whole = """
        apiVersion: v1
        kind: Config
        current-context: lab
        clusters:
        - name: lab
          cluster: {server: "https://api.example:6443/", certificate-authority: pki/ca.crt}
        - name: other
          cluster:
            server: https://other.example
            insecure-skip-tls-verify: true
            tls-server-name: kubernetes.default
            proxy-url: http://proxy.example:3128
            certificate-authority-data: \(Data("PEM".utf8).base64EncodedString())
        users:
        - {name: admin, user: {token: "t0k3n"}}
        - {name: file, user: {tokenFile: token, token: ignored}}
        - {name: certificate, user: {client-certificate: c.crt, client-key: /abs/c.key}}
        - {name: basic, user: {username: u, password: p}}
        - name: plugin
          user: {exec: {command: ./bin/get-token, args: [a, b], apiVersion: client.authentication.k8s.io/v1beta1,
                 env: [{name: X, value: "1"}], provideClusterInfo: true}}
        contexts:
        - {name: lab, context: {cluster: lab, user: admin, namespace: flows}}
        - {name: other, context: {cluster: other, user: certificate}}
        - {name: file, context: {cluster: lab, user: file}}
        - {name: basic, context: {cluster: lab, user: basic}}
        - {name: plugin, context: {cluster: other, user: plugin}}
        - {name: nobody, context: {cluster: lab, user: ghost}}
        - {name: nowhere, context: {cluster: ghost, user: admin}}
        """

    private func config(_ text: String, directory: String = "/etc/kube") throws -> Kubeconfig {
        try Kubeconfig(YAMLDocument.parse(text), name: "/etc/kube/config", directory: directory)
    }

    @Test("the current context gives the cluster with its authority, the user's credentials and the namespace")
    func current() throws {
        let access = try config(Self.whole).access()
        #expect(access.server == "https://api.example:6443")
        #expect(access.namespace == "flows")
        #expect(access.credentials == .token("t0k3n"))
        #expect(access.tls.authorities == .file("/etc/kube/pki/ca.crt"))
        #expect(access.tls.verifyPeer)
        #expect(access.proxyURL == nil)
    }

    @Test("a context can have TLS options, a proxy and every kind of credentials")
    func contexts() throws {
        let config = try config(Self.whole)
        let other = try config.access(context: "other")
        #expect(!other.tls.verifyPeer)
        #expect(other.tls.serverName == "kubernetes.default")
        #expect(other.tls.authorities == .pem(Array("PEM".utf8)))
        #expect(other.proxyURL == "http://proxy.example:3128")
        #expect(other.tls.clientCertificate == .files(certificate: "/etc/kube/c.crt", key: "/abs/c.key"))
        #expect(other.namespace == "default")
        #expect(try config.access(context: "file").credentials == .tokenFile("/etc/kube/token"))
        #expect(try config.access(context: "basic").credentials == .basic(user: "u", password: "p"))
        guard case .plugin(let plugin) = try config.access(context: "plugin").credentials else {
            Issue.record("no plug-in")
            return
        }
        #expect(plugin.command == "/etc/kube/./bin/get-token")
        #expect(plugin.arguments == ["a", "b"])
        #expect(plugin.variables == ["X": "1"])
        let information = try JSONValue(parsing: plugin.information)
        #expect(information["apiVersion"] == "client.authentication.k8s.io/v1beta1")
        #expect(information["spec"]?["cluster"]?["server"] == "https://other.example")
    }

    @Test(
        "the error of an invalid kubeconfig names the cause in one line",
        arguments: [
            (Self.whole, "ghost context", "has no context 'ghost context'; it has: 'basic', 'file', 'lab'"),
            (Self.whole, "nobody", "names the user 'ghost'"), (Self.whole, "nowhere", "names the cluster 'ghost'"),
            ("contexts: [{name: a, context: {cluster: c}}]\nclusters: [{name: c, cluster: {}}]", "a", "no 'server'"),
            ("contexts: 7", "a", "'contexts'"), ("contexts: [{context: {}}]", "a", "'contexts[0]'"),
            ("7", "a", "object"),
            ("clusters: []", nil, "no current context"),
        ] as [(String, String?, String)])
    func trouble(text: String, context: String?, expected: String) {
        let error = #expect(throws: ClusterConfigurationError.self) { try config(text).access(context: context) }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("\n") == false)
    }

    @Test("kubeconfig files are merged: the first definition has precedence, and missing files are skipped")
    func merging() throws {
        let directory = try TemporaryDirectory()
        try directory.write("a", "current-context: two\nusers: [{name: u, user: {token: first}}]")
        try directory.write(
            "b",
            """
            current-context: one
            users: [{name: u, user: {token: second}}, {name: v, user: {token: other}}]
            clusters: [{name: c, cluster: {server: "https://b", certificate-authority: ca}}]
            contexts: [{name: two, context: {cluster: c, user: u}}, {name: one, context: {cluster: c, user: v}}]
            """)
        let list = "\(directory.path)/a:\(directory.path)/missing:\(directory.path)/b"
        let access = try ClusterAccess.surroundings(environment: ["KUBECONFIG": list], serviceAccount: "/nowhere")
        #expect(access.credentials == .token("first"))
        #expect(access.tls.authorities == .file("\(directory.path)/ca"))
        let error = #expect(throws: ClusterConfigurationError.self) {
            try ClusterAccess.surroundings(
                environment: ["KUBECONFIG": "\(directory.path)/none"], serviceAccount: "/nowhere")
        }
        #expect(error?.description.contains("set KUBECONFIG") == true)
    }

    @Test("a block can hold a kubeconfig as an object or as text, with a context")
    func block() throws {
        let object = try ClusterAccess.block(
            ["config": YAMLDocument.parse(Self.whole), "context_name": "file"], allowsHostCredentials: true)
        #expect(object.server == "https://api.example:6443")
        let text = try ClusterAccess.block(
            ["config": .string(Self.whole), "context_name": "lab"], allowsHostCredentials: true)
        #expect(text.credentials == .token("t0k3n"))
        #expect(throws: ClusterConfigurationError.self) {
            try ClusterAccess.block(["context_name": "lab"], allowsHostCredentials: true)
        }
    }

    /// The content of a block with one user and one cluster.
    private func block(user: JSONValue = ["token": "t"], cluster: JSONValue = [:]) -> JSONValue {
        var cluster = cluster
        cluster["server"] = "https://api.example:6443"
        let config: JSONValue = [
            "current-context": "c", "contexts": [["name": "c", "context": ["cluster": "k", "user": "u"]]],
            "clusters": [["name": "k", "cluster": cluster]], "users": [["name": "u", "user": user]],
        ]
        return ["config": config]
    }

    @Test(
        "the kubeconfig of a block may not name programs or files of the worker's host unless allowed",
        arguments: ["exec", "auth-provider", "tokenFile", "client-certificate", "client-key", "certificate-authority"])
    func hostCredentials(member: String) throws {
        let values: [String: JSONValue] = [
            "exec": ["command": "/bin/true", "apiVersion": "client.authentication.k8s.io/v1"],
            "auth-provider": ["name": "gcp", "config": ["id-token": "t"]],
        ]
        let value = values[member] ?? "/etc/hostname"
        var user: JSONValue = [member: value]
        // A client certificate is only valid together with its key.
        if member == "client-key" { user["client-certificate-data"] = "UEVN" }
        if member == "client-certificate" { user["client-key-data"] = "UEVN" }
        let block =
            member == "certificate-authority"
            ? block(cluster: ["certificate-authority": value]) : block(user: user)
        let error = #expect(throws: ClusterConfigurationError.self) {
            try ClusterAccess.block(block, allowsHostCredentials: false)
        }
        #expect(error?.description.contains("'\(member)'") == true)
        #expect(error?.description.contains("--allow-host-credentials") == true)
        _ = try ClusterAccess.block(block, allowsHostCredentials: true)
    }

    @Test("the kubeconfig of a block may hold a token, a password, certificates and an authority inline")
    func inlineCredentials() throws {
        let pem: JSONValue = .string(Data("PEM".utf8).base64EncodedString())
        let users: [JSONValue] = [
            ["token": "t"], ["username": "u", "password": "p"],
            ["client-certificate-data": pem, "client-key-data": pem, "exec": .null, "tokenFile": ""],
        ]
        for user in users {
            let access = try ClusterAccess.block(
                block(user: user, cluster: ["certificate-authority-data": pem]), allowsHostCredentials: false)
            #expect(access.tls.authorities == .pem(Array("PEM".utf8)))
        }
    }

    @Test("within a cluster, the pod's service account replaces a kubeconfig")
    func inCluster() throws {
        let directory = try TemporaryDirectory()
        let environment = ["KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"]
        let missing = #expect(throws: ClusterConfigurationError.self) {
            try ClusterAccess.surroundings(environment: environment, serviceAccount: directory.path)
        }
        #expect(missing?.description.contains("service account") == true)
        try directory.write("token", "abc\n")
        try directory.write("ca.crt", "PEM")
        try directory.write("namespace", "work")
        let access = try ClusterAccess.surroundings(environment: environment, serviceAccount: directory.path)
        #expect(access.server == "https://[fd00::1]:443")
        #expect(access.namespace == "work")
        #expect(access.credentials == .tokenFile("\(directory.path)/token"))
    }

    @Test("YAML is read with its types, and documents with excessive aliases or depth are refused")
    func yaml() throws {
        let value = try YAMLDocument.parse(
            "a: 1\nb: \"1\"\nc: true\nd: null\ne: 2001-01-01\nf: 1.5\ng: &x [1]\nh: *x\n'i': ~")
        #expect(
            value == [
                "a": 1, "b": "1", "c": true, "d": nil, "e": "2001-01-01", "f": 1.5, "g": [1], "h": [1], "i": nil,
            ])
        #expect(
            try YAMLDocument.parse("[!!str 3, '5', 0x10, 017, 1_000, .5, 2e3, yes, 1.2.3, -7, 08, .inf]") == [
                "3", "5", 16, 15, 1000, 0.5, 2000.0, true, "1.2.3", -7, "08", ".inf",
            ])
        #expect(try YAMLDocument.parse("") == nil)
        #expect(throws: YAMLDocument.Problem.self) { try YAMLDocument.parse("a: [1") }
        let laughs =
            "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
            + (1..<9).map { "a\($0): &a\($0) [\(repeatElement("*a\($0 - 1)", count: 9).joined(separator: ", "))]" }
            .joined(separator: "\n")
        #expect(throws: YAMLDocument.Problem.self) { try YAMLDocument.parse(laughs) }
        let (open, close) = (String(repeating: "[", count: 150), String(repeating: "]", count: 150))
        #expect(throws: YAMLDocument.Problem.self) {
            try YAMLDocument.parse("a: &a \(open)1\(close)\nb: \(open)*a\(close)")
        }
        #expect(throws: YAMLDocument.Problem.self) {
            try YAMLDocument.parse(String(repeating: "[", count: 300) + String(repeating: "]", count: 300))
        }
    }
}
