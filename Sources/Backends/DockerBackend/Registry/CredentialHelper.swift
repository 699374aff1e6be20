internal import HelperPrograms
internal import PrefectFiles
internal import PrefectJSON

/// A program `docker-credential-NAME`, which returns the credentials of a registry.
struct CredentialHelper: Sendable {
    /// The helper could not be run, or gave no usable answer.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let name: String
    let environment: [String: String]
    let limit: Duration

    private var program: String { "docker-credential-\(name)" }

    /// The credentials for a server; `nil` when the helper has none.
    func credentials(for server: String) async throws -> RegistryCredentials? {
        guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0.isNumber || "-_.".contains($0) }),
            let path = SearchPath.executable(program, on: environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin")
        else {
            throw Failure(description: "the credential helper '\(program)' is not on the worker's PATH; install it")
        }
        let helper = HelperProgram(
            path, arguments: ["get"], environment: environment, input: "\(server)\n", limit: limit)
        let answer: HelperProgram.Answer
        do {
            answer = try await helper.run()
        } catch let error as HelperProgram.Failure {
            throw Failure(description: "the credential helper '\(program)' \(error)")
        }
        let json = try? JSONValue(parsing: answer.output)
        guard answer.isSuccess, let secret = json?["Secret"]?.stringValue else {
            if answer.output.prefix(300).contains("credentials not found") { return nil }
            throw Failure(
                description: "the credential helper '\(program)' ended with \(answer.ending)"
                    + (answer.isSuccess ? " and no credentials" : "") + "; try it: echo \(server) | \(program) get")
        }
        let username = json?["Username"]?.stringValue ?? ""
        let isToken = username == "<token>"
        return RegistryCredentials(
            username: isToken ? "" : username, password: isToken ? "" : secret, identityToken: isToken ? secret : nil,
            server: server)
    }
}
