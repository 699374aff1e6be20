import AzureAccess
import CryptoExtras
import Foundation
import PrefectJSON
import PrefectREST
import TestSupport
import Testing

// Serialized, because a program cannot be run while another test's child still holds the descriptor that wrote it.
@Suite("Credentials for Azure", .serialized, .timeLimit(.minutes(2)))
struct CredentialTests {
    private static let block: JSONValue = [
        "tenant_id": "t", "client_id": "c", "client_secret": "s&cret", "credential_kwargs": [:],
    ]

    @Test("an application of a block receives a token for its secret, and the token is kept")
    func clientSecret() async throws {
        let azure = try FakeAzure()
        let identity = try azure.identity(
            ["AZURE_AUTHORITY_HOST": azure.url], AzureCredentials(block: Self.block))
        let token = try await identity.current()
        #expect(token.text == "token-1")
        #expect(try await identity.current() == token)
        let request = try #require(azure.requests.first)
        #expect(request.path == "/t/oauth2/v2.0/token" && azure.requests.count == 1)
        #expect(
            request.form == [
                "grant_type": "client_credentials", "client_id": "c", "client_secret": "s&cret",
                "scope": "https://management.azure.com/.default",
            ])
        #expect(try await identity.current(insteadOf: token).text == "token-2")
    }

    @Test("a token is renewed before it expires, and serves until then if the renewal fails")
    func renewal() async throws {
        let azure = try FakeAzure()
        let identity = try azure.identity(azure.environment())
        azure.change { $0.lifetime = 200 }
        #expect(try await identity.current().text == "token-1")
        #expect(try await identity.current().text == "token-2")
        for _ in 0..<3 { azure.fail("/token", .init(status: "503 Unavailable")) }
        #expect(try await identity.current().text == "token-2")
        azure.change { $0.lifetime = 3599 }
        #expect(try await identity.current().text == "token-3")
        #expect(try await identity.current().text == "token-3")
    }

    @Test("credentials that are refused are named with their reason, without a secret")
    func refused() async throws {
        let azure = try FakeAzure { request in
            guard request.path.hasSuffix("/token") else { return nil }
            return .init(
                status: "401 Unauthorized",
                body: [
                    "error": "invalid_client",
                    "error_description": "AADSTS7000222: The provided client secret keys are expired.\r\nTrace ID: x",
                ])
        }
        let error = await failure { try await azure.identity(azure.environment()).current() }
        let text = "\(try #require(error))"
        #expect(text.contains("AADSTS7000222") && text.contains("renew") && !text.contains("swordfish"))
        #expect(!text.contains("\n") && error is AzureCredentialError)
    }

    @Test("a certificate signs an assertion that its public key verifies", arguments: [false, true])
    func certificate(isEncrypted: Bool) async throws {
        let azure = try FakeAzure()
        let directory = try TemporaryDirectory()
        var arguments = ["req", "-x509", "-newkey", "rsa:2048", "-days", "2", "-subj", "/CN=worker"]
        arguments += ["-keyout", directory.file("key"), "-out", directory.file("certificate")]
        arguments += isEncrypted ? ["-passout", "pass:word"] : ["-nodes"]
        let status = try await withChildProcess("openssl", arguments) { child in try await child.waitForExit() }
        #expect(status == .exited(0))
        let certificate = try String(contentsOfFile: directory.file("certificate"), encoding: .utf8)
        let key = try String(contentsOfFile: directory.file("key"), encoding: .utf8)
        let path = directory.file("both.pem")
        try Data((certificate + key).utf8).write(to: URL(filePath: path))
        var environment = azure.environment([
            "AZURE_CLIENT_CERTIFICATE_PATH": path, "AZURE_CLIENT_CERTIFICATE_PASSWORD": "word",
        ])
        environment["AZURE_CLIENT_SECRET"] = nil
        #expect(try await azure.identity(environment).current().text == "token-1")
        let form = try #require(azure.requests.first).form
        #expect(form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        let parts = try #require(form["client_assertion"]).split(separator: ".").map(String.init)
        func decoded(_ text: String) throws -> Data {
            let standard = text.replacing("-", with: "+").replacing("_", with: "/")
            return try #require(
                Data(base64Encoded: standard + String(repeating: "=", count: (4 - standard.count % 4) % 4)))
        }
        let claims = try JSONValue(parsing: [UInt8](decoded(parts[1])))
        #expect(claims["iss"] == "client" && claims["sub"] == "client")
        #expect(claims["aud"]?.stringValue == "\(azure.url)/tenant/oauth2/v2.0/token")
        let der = try #require(
            Data(base64Encoded: certificate.split(separator: "\n").dropFirst().dropLast().joined()))
        let header = try JSONValue(parsing: [UInt8](decoded(parts[0])))
        #expect(header["alg"] == "RS256")
        let thumbprint = try decoded(header["x5t"]?.stringValue ?? "")
        #expect(thumbprint == Data(Insecure.SHA1.hash(data: der)))
        let publicKey = try await withChildProcess(
            "openssl", ["x509", "-in", directory.file("certificate"), "-pubkey", "-noout"]
        ) { child in
            _ = try await child.waitForExit()
            return try _RSA.Signing.PublicKey(pemRepresentation: child.output.joined(separator: "\n"))
        }
        #expect(
            publicKey.isValidSignature(
                .init(rawRepresentation: try decoded(parts[2])), for: Data("\(parts[0]).\(parts[1])".utf8),
                padding: .insecurePKCS1v1_5))
        environment["AZURE_CLIENT_CERTIFICATE_PASSWORD"] = "wrong"
        guard isEncrypted else { return }
        let text = "\(try #require(await failure { try await azure.identity(environment).current() }))"
        #expect(text.contains("AZURE_CLIENT_CERTIFICATE_PASSWORD") && !text.contains("\n"))
    }

    @Test("a workload identity presents the token of its file")
    func workloadIdentity() async throws {
        let azure = try FakeAzure()
        let directory = try TemporaryDirectory()
        let path = try directory.write("token", "federated\n", mode: 0o600)
        var environment = azure.environment(["AZURE_FEDERATED_TOKEN_FILE": path])
        environment["AZURE_CLIENT_SECRET"] = nil
        let token = try await azure.identity(environment).current()
        #expect(token.source == "workload identity")
        #expect(azure.requests.first?.form["client_assertion"] == "federated")
        environment["AZURE_FEDERATED_TOKEN_FILE"] = "/nowhere/token"
        let error = await failure { try await azure.identity(environment).current() }
        #expect("\(try #require(error))".contains("'/nowhere/token'"))
    }

    @Test("a managed identity is asked at the endpoint of the app, else at the metadata service")
    func managedIdentity() async throws {
        let azure = try FakeAzure { request in
            guard request.path.hasPrefix("/msi") || request.path.hasPrefix("/metadata") else { return nil }
            let isKnown =
                request.header("X-IDENTITY-HEADER") == "key" || request.header("Metadata") == "true"
            guard isKnown, request.query["resource"]?.isEmpty == false else { return .init(status: "403 Forbidden") }
            return .init(body: [
                "access_token": .string("mi-\(request.query["client_id"] ?? "")"), "expires_in": "3599",
            ])
        }
        let app = ["IDENTITY_ENDPOINT": "\(azure.url)/msi/token", "IDENTITY_HEADER": "key"]
        #expect(try await azure.identity(app).current().text == "mi-")
        let machine = ["AZURE_POD_IDENTITY_AUTHORITY_HOST": azure.url, "AZURE_CLIENT_ID": "mine"]
        #expect(try await azure.identity(machine).current().text == "mi-mine")
        let block = try AzureCredentials(block: ["credential_kwargs": ["managed_identity_client_id": "of-block"]])
        #expect(try await azure.identity(machine, block).current().text == "mi-of-block")
        #expect(azure.requests.map { $0.query["api-version"] } == ["2019-08-01", "2018-02-01", "2018-02-01"])
    }

    @Test("the logins of az and azd are used after the others")
    func programs() async throws {
        let azure = try FakeAzure { $0.path.hasPrefix("/metadata") ? .init(status: "400 Bad Request") : nil }
        let directory = try TemporaryDirectory()
        let environment = ["AZURE_POD_IDENTITY_AUTHORITY_HOST": azure.url, "PATH": "\(directory.path):/usr/bin:/bin"]
        try directory.write(
            "azd", "#!/bin/sh\necho '{\"token\": \"from azd\", \"expiresOn\": \"2999-01-01T00:00:00Z\"}'\n", mode: 0o755
        )
        #expect(try await azure.identity(environment).current().text == "from azd")
        try directory.write(
            "az",
            "#!/bin/sh\n[ \"$1 $2\" = 'account get-access-token' ] && echo '{\"accessToken\": \"from az\", \"expires_on\": 32503680000}'\n",
            mode: 0o755)
        #expect(try await azure.identity(environment).current().text == "from az")
        var narrowed = environment
        narrowed["AZURE_TOKEN_CREDENTIALS"] = "AzureDeveloperCliCredential"
        #expect(try await azure.identity(narrowed).current().text == "from azd")
        let excluded = try AzureCredentials(block: ["credential_kwargs": ["exclude_cli_credential": true]])
        #expect(try await azure.identity(environment, excluded).current().text == "from azd")
    }

    @Test("a chain that finds nothing says in one line what was tried")
    func nothing() async throws {
        let azure = try FakeAzure { $0.path.hasPrefix("/metadata") ? .init(status: "400 Bad Request") : nil }
        let directory = try TemporaryDirectory()
        try directory.write("az", "#!/bin/sh\necho \"Please run 'az login'.\" >&2; exit 1\n", mode: 0o755)
        var environment = ["AZURE_POD_IDENTITY_AUTHORITY_HOST": azure.url, "PATH": "\(directory.path):/usr/bin:/bin"]
        let text = "\(try #require(await failure { try await azure.identity(environment).current() }))"
        for part in ["AZURE_TENANT_ID", "workload identity", "managed identity", "az login", "'azd'"] {
            #expect(text.contains(part), "\(text)")
        }
        #expect(!text.contains("\n"))
        environment["AZURE_TOKEN_CREDENTIALS"] = "prod"
        #expect(
            !"\(try #require(await failure { try await azure.identity(environment).current() }))".contains("az login"))
        environment["AZURE_TOKEN_CREDENTIALS"] = "VisualStudioCodeCredential"
        let unknown = await failure { try await azure.identity(environment).current() }
        #expect("\(try #require(unknown))".contains("AZURE_TOKEN_CREDENTIALS"))
    }

    @Test("each cloud has its endpoints, and a block may not send the host's credentials elsewhere")
    func clouds() throws {
        #expect(try AzureCloud(environment: [:]) == .global)
        #expect(
            try AzureCloud(environment: ["AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us/"]) == .government)
        let china = try AzureCloud(environment: ["AZURE_AUTHORITY_HOST": "login.chinacloudapi.cn"])
        #expect(china.resourceManager == "https://management.chinacloudapi.cn")
        #expect(china.scope == "https://management.chinacloudapi.cn/.default")
        #expect(throws: AzureCredentialError.self) { try AzureCloud(environment: ["AZURE_AUTHORITY_HOST": "a b"]) }
        let azure = try FakeAzure()
        let evil = try AzureCredentials(block: ["credential_kwargs": ["authority": "https://evil.example"]])
        #expect(throws: AzureCredentialError.self) { try azure.identity([:], evil) }
        #expect(throws: Never.self) { try azure.identity([:], evil, allowsHostCredentials: true) }
        let known = try AzureCredentials(block: ["credential_kwargs": ["authority": "login.microsoftonline.us"]])
        #expect(try azure.identity([:], known).cloud == .government)
    }

    @Test(
        "a block with only some of its three parts is refused", arguments: ["client_id", "tenant_id", "client_secret"])
    func incomplete(_ field: String) throws {
        var block = Self.block
        block[field] = .null
        let error = #expect(throws: AzureCredentialError.self) { try AzureCredentials(block: block) }
        #expect("\(try #require(error))".contains("all three"))
    }
}
