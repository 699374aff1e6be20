internal import FoundationEssentials
internal import HTTPTransport
internal import HelperPrograms
internal import OrderedCollections
internal import PrefectClient
internal import PrefectJSON

/// A program that issues credentials, as kubeconfigs name it in `exec`: `client.authentication.k8s.io`.
struct CredentialPlugin: Sendable, Hashable {
    /// The program: a path, or a name on the PATH.
    let command: String
    let arguments: [String]
    /// The environment variables besides the worker's own.
    let variables: [String: String]
    /// The version of the protocol, `client.authentication.k8s.io/v1` or `…/v1beta1`.
    let apiVersion: String
    /// The input of the program: the value of `KUBERNETES_EXEC_INFO`.
    let information: String
    /// Advice for people when the program is missing.
    let installHint: String?

    /// A credential that the program issued.
    struct Credential: Sendable, Hashable {
        var token: String?
        var certificate: TLSConfiguration.ClientCertificate?
        /// The time until which the credential may be used; with `nil` it is used until it is refused.
        var expiry: Timestamp?
    }

    /// Reads the `exec` section of a user.
    init(
        _ json: JSONValue, cluster: OrderedDictionary<String, JSONValue>, directory: String, origin: String
    ) throws(ClusterConfigurationError) {
        guard let name = json["command"]?.stringValue, !name.isEmpty else {
            throw ClusterConfigurationError("'exec' of the \(origin) has no 'command'; name the program")
        }
        // As in kubectl, a relative path with a slash starts from the kubeconfig's directory, and a bare name is
        // searched for.
        command = name.hasPrefix("/") || !name.contains("/") ? name : "\(directory)/\(name)"
        arguments = json["args"]?.arrayValue?.compactMap(\.stringValue) ?? []
        variables = Dictionary(
            (json["env"]?.arrayValue ?? []).compactMap { entry in
                guard let name = entry["name"]?.stringValue else { return nil }
                return (name, entry["value"]?.stringValue ?? "")
            }, uniquingKeysWith: { $1 })
        apiVersion = json["apiVersion"]?.stringValue ?? "client.authentication.k8s.io/v1"
        installHint = json["installHint"]?.stringValue
        var spec: JSONValue = ["interactive": false]
        if json["provideClusterInfo"] == true {
            var shown = cluster.filter { $0.key != "extensions" && $0.key != "certificate-authority" }
            shown["config"] =
                cluster["extensions"]?.arrayValue?
                .first { $0["name"] == "client.authentication.k8s.io/exec" }?["extension"]
            spec["cluster"] = .object(shown)
        }
        information =
            JSONValue.object([
                "apiVersion": .string(apiVersion), "kind": "ExecCredential", "spec": spec,
            ]).serialized()
    }

    /// The time limit for the program.
    static let timeLimit = Duration.seconds(60)

    /// Runs the program and reads the credential that it issues.
    func run(environment: [String: String]) async throws -> Credential {
        var merged = environment.merging(variables) { $1 }
        merged["KUBERNETES_EXEC_INFO"] = information
        let program = HelperProgram(
            command, arguments: arguments, environment: merged, limit: Self.timeLimit)
        let answer: HelperProgram.Answer
        do {
            answer = try await program.run()
        } catch let error as HelperProgram.Failure {
            throw failure(error.description)
        }
        guard answer.isSuccess else {
            throw failure("ended with \(answer.ending)\(answer.lastError.map { ": \($0.prefix(200))" } ?? "")")
        }
        return try Self.credential(in: answer.output, failure: failure)
    }

    private func failure(_ problem: String) -> ClusterConfigurationError {
        let hint =
            installHint?.split(whereSeparator: \.isNewline).first.map { "; \($0)" } ?? "; run it by hand to see why"
        return ClusterConfigurationError("The credential plug-in '\(command)' \(problem)\(hint)")
    }

    /// Reads an `ExecCredential`.
    static func credential(
        in text: String, failure: (String) -> ClusterConfigurationError
    ) throws(ClusterConfigurationError) -> Credential {
        guard let json = try? JSONValue(parsing: text), json["kind"] == "ExecCredential", let status = json["status"]
        else { throw failure("has not written an ExecCredential with a status") }
        var credential = Credential()
        credential.token = status["token"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
        if let certificate = status["clientCertificateData"]?.stringValue, !certificate.isEmpty {
            guard let key = status["clientKeyData"]?.stringValue, !key.isEmpty else {
                throw failure("has written a certificate without its key")
            }
            credential.certificate = .pem(certificate: Array(certificate.utf8), key: Array(key.utf8))
        }
        guard credential.token != nil || credential.certificate != nil else {
            throw failure("has written neither a token nor a certificate")
        }
        if let expiry = status["expirationTimestamp"]?.stringValue { credential.expiry = Timestamp(expiry) }
        return credential
    }
}
