import BackendKit
import CryptoExtras
import Foundation
import GoogleAccess
import PrefectJSON
import Testing

@Suite("Access tokens of Google Cloud", .timeLimit(.minutes(1)))
struct TokenTests {
    /// The tokens for credentials in a file, with the environment of the test.
    private func tokens(
        _ file: JSONValue?, in directory: String, _ variables: [String: String] = [:]
    ) throws -> GoogleTokens {
        var environment = ["HOME": directory, "PATH": "/usr/bin:/bin"].merging(variables) { $1 }
        if let file {
            let path = "\(directory)/credentials.json"
            try Data(file.serializedBytes()).write(to: URL(filePath: path))
            environment["GOOGLE_APPLICATION_CREDENTIALS"] = path
        }
        let host = BackendHost(environment: environment)
        return GoogleTokens(try GoogleCredentials.read(nil, for: host), try GoogleSurroundings(host))
    }

    private func decoded(_ part: Substring) -> [UInt8] {
        var text = part.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        while text.count % 4 != 0 { text += "=" }
        return [UInt8](Data(base64Encoded: text) ?? Data())
    }

    @Test("a service account signs an assertion that its public key verifies")
    func serviceAccount() async throws {
        try await withDirectory { directory in
            let google = try FakeGoogle { _ in .json(["access_token": "t1", "expires_in": 3600]) }
            defer { google.stop() }
            let tokens = try tokens(TestAccount.file(tokenURL: "\(google.url)/token"), in: directory)
            #expect(try await tokens.current() == "t1")
            #expect(try await tokens.current() == "t1")
            #expect(google.requests.count == 1)
            let form = try #require(google.requests.first).form
            #expect(form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer")
            let parts = try #require(form["assertion"]).split(separator: ".")
            #expect(parts.count == 3)
            let header = try JSONValue(parsing: decoded(parts[0]))
            #expect(header["alg"] == "RS256" && header["kid"] == "k1")
            let claims = try JSONValue(parsing: decoded(parts[1]))
            #expect(claims["iss"] == "worker@a-project.iam.gserviceaccount.com")
            #expect(claims["aud"] == .string("\(google.url)/token"))
            #expect(claims["scope"] == "https://www.googleapis.com/auth/cloud-platform")
            let issued = try #require(claims["iat"]?.intValue)
            #expect(claims["exp"]?.intValue == issued + 3600)
            #expect(abs(Double(issued) - Date().timeIntervalSince1970) < 60)
            let key = try #require(TestAccount.key).publicKey
            let signature = _RSA.Signing.RSASignature(rawRepresentation: decoded(parts[2]))
            #expect(
                key.isValidSignature(
                    signature, for: Data("\(parts[0]).\(parts[1])".utf8), padding: .insecurePKCS1v1_5))
            #expect(try await tokens.project() == "a-project")
            #expect(try await tokens.serviceAccount() == "worker@a-project.iam.gserviceaccount.com")
        }
    }

    @Test("a token is renewed before it expires, and callers at the same time share one request")
    func renewal() async throws {
        try await withDirectory { directory in
            let google = try FakeGoogle { _ in .json(["access_token": "short", "expires_in": 200]) }
            defer { google.stop() }
            let tokens = try tokens(TestAccount.file(tokenURL: "\(google.url)/token"), in: directory)
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { _ = try? await tokens.current() } }
            }
            let shared = google.requests.count
            #expect(shared < 8)
            _ = try await tokens.current()
            #expect(google.requests.count == shared + 1)
        }
    }

    @Test("a refused key is one line with the cause, and a service that is away is no refusal")
    func refusals() async throws {
        try await withDirectory { directory in
            let google = try FakeGoogle { _ in
                .status(400, ["error": "invalid_grant", "error_description": "Invalid JWT Signature."])
            }
            defer { google.stop() }
            let tokens = try tokens(TestAccount.file(tokenURL: "\(google.url)/token"), in: directory)
            let error = await #expect(throws: RemoteTaskError.self) { _ = try await tokens.current() }
            #expect(error?.kind == .refused)
            #expect(error?.message.contains("invalid_grant: Invalid JWT Signature.") == true)
            #expect(error?.message.contains("credentials.json") == true)
            #expect(error?.message.contains("\n") == false && error?.message.contains("PRIVATE") == false)
        }
    }

    @Test("a user's refresh token is exchanged, and the user's quota project pays and is the project")
    func authorizedUser() async throws {
        try await withDirectory { directory in
            let file: JSONValue = [
                "type": "external_account_authorized_user", "client_id": "c", "client_secret": "s",
                "refresh_token": "r", "token_url": .string("URL"), "quota_project_id": "payer",
            ]
            let google = try FakeGoogle { _ in .json(["access_token": "user", "expires_in": 3600]) }
            defer { google.stop() }
            var changed = file
            changed["token_url"] = .string("\(google.url)/oauth")
            let tokens = try tokens(changed, in: directory)
            #expect(try await tokens.current() == "user")
            let form = try #require(google.requests.first).form
            #expect(
                form == ["grant_type": "refresh_token", "client_id": "c", "client_secret": "s", "refresh_token": "r"])
            #expect(try await tokens.project() == "payer")
            #expect(try await tokens.serviceAccount() == nil)
        }
    }

    /// The configuration of workload identity federation with impersonation.
    private func external(_ google: FakeGoogle, _ source: JSONValue) -> JSONValue {
        [
            "type": "external_account", "audience": "//iam.googleapis.com/pool",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": .string("\(google.url)/sts"), "credential_source": source,
            "service_account_impersonation_url": .string(
                "\(google.url)/v1/projects/-/serviceAccounts/sa@p.iam.gserviceaccount.com:generateAccessToken"),
        ]
    }

    @Test(
        "an external account exchanges the token of a file, an address, a program and AWS, and impersonates",
        arguments: ["file", "url", "executable", "aws"])
    func externalAccount(_ kind: String) async throws {
        try await withDirectory { directory in
            let google = try FakeGoogle { request in
                if request.path.hasSuffix("/subject") { return .json(["value": "subject-token"]) }
                if request.path.hasSuffix(":generateAccessToken") {
                    return .json(["accessToken": "impersonated", "expireTime": "2099-01-01T00:00:00Z"])
                }
                return .json(["access_token": "federated", "expires_in": 3600])
            }
            defer { google.stop() }
            try Data("subject-token\n".utf8).write(to: URL(filePath: "\(directory)/subject"))
            let program = "\(directory)/program"
            try Data(
                """
                #!/bin/sh
                [ "$GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE" = //iam.googleapis.com/pool ] || exit 1
                echo '{"version": 1, "success": true, "token_type": "urn:ietf:params:oauth:token-type:jwt", "id_token": "subject-token"}'
                """.utf8
            ).write(to: URL(filePath: program))
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
            let source: JSONValue =
                switch kind {
                case "file": ["file": .string("\(directory)/subject")]
                case "url":
                    [
                        "url": .string("\(google.url)/subject"),
                        "format": ["type": "json", "subject_token_field_name": "value"],
                    ]
                case "executable": ["executable": ["command": .string("\(program) --now")]]
                default: ["environment_id": "aws1"]
                }
            let tokens = try tokens(
                external(google, source), in: directory,
                [
                    "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1", "AWS_REGION": "eu-west-1",
                    "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session",
                ])
            #expect(try await tokens.current() == "impersonated")
            #expect(try await tokens.serviceAccount() == "sa@p.iam.gserviceaccount.com")
            let exchange = try #require(google.requests("POST", "/sts").first).form
            #expect(exchange["audience"] == "//iam.googleapis.com/pool")
            if kind == "aws" {
                let text = try #require(exchange["subject_token"]?.removingPercentEncoding)
                let proof = try JSONValue(parsing: Array(text.utf8))
                #expect(proof["url"]?.stringValue?.hasPrefix("https://sts.eu-west-1.amazonaws.com?Action=") == true)
                let headers = proof["headers"]?.arrayValue ?? []
                func header(_ name: String) -> String? {
                    headers.first { $0["key"]?.stringValue == name }?["value"]?.stringValue
                }
                #expect(header("host") == "sts.eu-west-1.amazonaws.com")
                #expect(header("x-goog-cloud-target-resource") == "//iam.googleapis.com/pool")
                #expect(header("x-amz-security-token") == "session")
                #expect(header("Authorization")?.contains("/eu-west-1/sts/aws4_request") == true)
                #expect(!text.contains("\"secret\""))
            } else {
                #expect(exchange["subject_token"] == "subject-token")
            }
            let impersonation = try #require(google.requests("POST", ":generateAccessToken").first)
            #expect(impersonation.authorization == "Bearer federated")
            #expect(impersonation.json["lifetime"] == "3600s")
        }
    }

    @Test("the signature of a request to AWS equals that of Google's own library")
    func signature() throws {
        let date = try #require(Timestamp("2026-01-02T03:04:05Z")).date
        let text = AWSProof.signed(
            "https://sts.eu-west-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15", region: "eu-west-1",
            accessKey: "AKIDEXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            sessionToken: "session/token+", audience: "//iam.googleapis.com/pool", at: date)
        let decoded = try #require(text.removingPercentEncoding)
        // Made with google-auth 2.63.0.
        #expect(decoded.contains("Signature=e520f11edd93fa991bd136c5f89460bacc48935f48a36a38ad85b5ec41c35241"))
    }

    @Test("a program gives no token without the variable that allows it")
    func forbiddenProgram() async throws {
        try await withDirectory { directory in
            let google = try FakeGoogle { _ in .broken }
            defer { google.stop() }
            let tokens = try tokens(external(google, ["executable": ["command": "/bin/true"]]), in: directory)
            let error = await #expect(throws: RemoteTaskError.self) { _ = try await tokens.current() }
            #expect(error?.message.contains("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1") == true)
        }
    }

    @Test("impersonated credentials use the token of their source")
    func impersonated() async throws {
        try await withDirectory { directory in
            let google = try FakeGoogle { request in
                request.path.hasSuffix(":generateAccessToken")
                    ? .json(["accessToken": "other", "expireTime": "2099-01-01T00:00:00Z"])
                    : .json(["access_token": "own", "expires_in": 3600])
            }
            defer { google.stop() }
            let tokens = try tokens(
                [
                    "type": "impersonated_service_account",
                    "service_account_impersonation_url": .string(
                        "\(google.url)/v1/projects/-/serviceAccounts/b@p.iam.gserviceaccount.com:generateAccessToken"),
                    "delegates": ["d"], "source_credentials": TestAccount.file(tokenURL: "\(google.url)/token"),
                ], in: directory)
            #expect(try await tokens.current() == "other")
            let request = try #require(google.requests("POST", ":generateAccessToken").first)
            #expect(request.authorization == "Bearer own" && request.json["delegates"] == ["d"])
            #expect(try await tokens.serviceAccount() == "b@p.iam.gserviceaccount.com")
        }
    }

    @Test("the metadata server gives token, project and account")
    func metadataServer() async throws {
        try await withDirectory { directory in
            let google = try FakeGoogle { request in
                switch request.path {
                case let path where path.hasSuffix("/token"): .json(["access_token": "machine", "expires_in": 3600])
                case let path where path.hasSuffix("/email"): .text("vm@p.iam.gserviceaccount.com")
                case let path where path.hasSuffix("/project-id"): .text("vm-project")
                default: .status(404, [:])
                }
            }
            defer { google.stop() }
            let tokens = try tokens(nil, in: directory, ["GCE_METADATA_HOST": google.address])
            #expect(try await tokens.current() == "machine")
            #expect(try await tokens.project() == "vm-project")
            #expect(try await tokens.serviceAccount() == "vm@p.iam.gserviceaccount.com")
        }
    }

    @Test("a chain that finds nothing names all places that were searched, in one line")
    func nothingFound() async throws {
        try await withDirectory { directory in
            let tokens = try tokens(nil, in: directory, ["GCE_METADATA_HOST": "127.0.0.1:1"])
            let error = await #expect(throws: RemoteTaskError.self) { _ = try await tokens.current() }
            let message = try #require(error?.message)
            #expect(message.contains("GOOGLE_APPLICATION_CREDENTIALS is not set"))
            #expect(message.contains("application_default_credentials.json' does not exist"))
            #expect(message.contains("no metadata server answers at '127.0.0.1:1'"))
            #expect(!message.contains("\n") && error?.kind == .refused)
            let excluded = #expect(throws: InfrastructureError.self) {
                _ = try self.tokens(nil, in: directory, ["NO_GCE_CHECK": "true"])
            }
            #expect(excluded?.message.contains("NO_GCE_CHECK") == true)
        }
    }
}
