internal import HelperPrograms
internal import PrefectConcurrency
internal import PrefectJSON

/// A command-line program in which a person has logged in: `az` or `azd`.
struct CommandLineSource: TokenSource {
    let name: String
    private let command: String
    private let arguments: @Sendable (AzureCloud) -> [String]
    private let tokenField: String
    private let environment: [String: String]

    /// The time limit for the program.
    private static let limit = Duration.seconds(20)

    /// Azure's own command-line program.
    static func azureCLI(environment: [String: String]) -> CommandLineSource {
        CommandLineSource(
            name: "login of 'az'", command: "az",
            arguments: { cloud in
                ["account", "get-access-token", "--output", "json", "--resource", cloud.resourceManager]
            }, tokenField: "accessToken", environment: environment)
    }

    /// The command-line program for developers.
    static func developerCLI(environment: [String: String]) -> CommandLineSource {
        CommandLineSource(
            name: "login of 'azd'", command: "azd",
            arguments: { ["auth", "token", "--output", "json", "--scope", $0.scope] }, tokenField: "token",
            environment: environment)
    }

    private init(
        name: String, command: String, arguments: @escaping @Sendable (AzureCloud) -> [String], tokenField: String,
        environment: [String: String]
    ) {
        self.name = name
        self.command = command
        self.arguments = arguments
        self.tokenField = tokenField
        self.environment = environment
    }

    func read(for cloud: AzureCloud) async throws -> RenewedValue<AzureToken>.Reading {
        let answer: HelperProgram.Answer
        do {
            answer = try await HelperProgram(
                command, arguments: arguments(cloud), environment: environment, limit: Self.limit
            ).run()
        } catch let failure as HelperProgram.Failure {
            throw SourceUnavailable(failure.description)
        }
        guard answer.isSuccess else {
            let reason = answer.lastError.map { ": \($0.prefix(150))" } ?? ""
            throw SourceUnavailable("ended with \(answer.ending)\(reason.trimmedSentence)")
        }
        guard let json = try? JSONValue(parsing: answer.output), let text = json[tokenField]?.stringValue, !text.isEmpty
        else { throw SourceUnavailable("wrote no token") }
        return .init(AzureToken(text: text, source: name), lifetime: lifetime(json))
    }

    /// `az` also writes a local time, which means nothing without its zone.
    private func lifetime(_ json: JSONValue) -> Duration {
        if let moment = number(json["expires_on"]) {
            return .pause(seconds: Timestamp(microseconds: 0).adding(seconds: moment).seconds(since: .now))
        }
        if let text = json["expiresOn"]?.stringValue, text.hasSuffix("Z"), let moment = Timestamp(text) {
            return .pause(seconds: moment.seconds(since: .now))
        }
        return .seconds(300)
    }
}
