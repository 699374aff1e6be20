internal import BackendKit
internal import FoundationEssentials
internal import HTTPTransport
internal import HelperPrograms
internal import JobTemplates
internal import PrefectJSON
internal import PrefectREST

extension TokenExchange {
    /// The token of the other identity provider.
    func subjectToken(_ account: ExternalAccount) async throws -> String {
        switch account.subject {
        case .file(let path, let field):
            guard let data = FileManager.default.contents(atPath: path), data.count <= 1 << 20 else {
                throw failure("the file '\(path)' with the subject token cannot be read")
            }
            return try subjectToken(in: String(decoding: data, as: UTF8.self), field, "the file '\(path)'")
        case .url(let url, let headers, let field):
            var request = RESTRequest(
                .get, RequestPath(encoded: ""), deadlines: Self.deadlines, operation: "Reading the subject token")
            for (name, value) in headers { request.headers[name] = value }
            return try subjectToken(in: try await text(url, request), field, "the subject token's address")
        case .program(let command, let limit, let outputFile):
            return try await subjectToken(of: command, limit, outputFile, account)
        case .aws(let subject):
            return try await subjectToken(subject, audience: account.audience)
        }
    }

    private func subjectToken(in text: String, _ field: String?, _ place: String) throws -> String {
        guard let field else {
            let token = text.split(whereSeparator: \.isWhitespace).joined()
            guard !token.isEmpty else { throw failure("\(place) has no subject token") }
            return token
        }
        guard let token = (try? JSONValue(parsing: Array(text.utf8)))?[field]?.stringValue, !token.isEmpty else {
            throw failure("\(place) has no field '\(field)' with the subject token")
        }
        return token
    }

    private func subjectToken(
        of command: String, _ limit: Duration, _ outputFile: String?, _ account: ExternalAccount
    ) async throws -> String {
        guard surroundings.variable("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES") == "1" else {
            throw failure(
                "the subject token comes from a program, which GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1 must allow")
        }
        if let outputFile, let data = FileManager.default.contents(atPath: outputFile),
            let json = try? JSONValue(parsing: Array(data)), isCurrent(json), let token = subjectToken(in: json)
        {
            return token
        }
        guard let words = try? ShellWords.split(command), let program = words.first else {
            throw failure("the command of the subject token cannot be split into words")
        }
        var environment = surroundings.environment
        environment["GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE"] = account.audience
        environment["GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE"] = account.subjectTokenType
        environment["GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE"] = "0"
        environment["GOOGLE_EXTERNAL_ACCOUNT_IMPERSONATED_EMAIL"] = account.impersonation?.serviceAccount
        environment["GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE"] = outputFile
        do {
            let answer = try await HelperProgram(
                program, arguments: Array(words.dropFirst()), environment: environment, limit: limit
            ).run()
            guard answer.isSuccess else { throw failure("'\(program)' ended with \(answer.ending)") }
            let json = (try? JSONValue(parsing: Array(answer.output.utf8))) ?? .null
            guard json["success"]?.boolValue == true, let token = subjectToken(in: json) else {
                let reason = json["message"]?.stringValue.map { ": \($0.prefix(200))" } ?? ""
                throw failure("'\(program)' gave no subject token\(reason)")
            }
            return token
        } catch let error as HelperProgram.Failure {
            throw failure("'\(program)' \(error)")
        }
    }

    private func isCurrent(_ json: JSONValue) -> Bool {
        guard let expiry = json["expiration_time"]?.doubleValue else { return false }
        return expiry > Date().timeIntervalSince1970 + 60
    }

    private func subjectToken(in json: JSONValue) -> String? {
        json["id_token"]?.stringValue ?? json["saml_response"]?.stringValue
    }
}
