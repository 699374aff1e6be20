import BackendKit
import Foundation
import PrefectJSON
import PrefectREST
import Synchronization
import TestSupport
import Testing

@testable import AWSAccess

@Suite("Credentials for AWS")
struct CredentialTests {
    /// A directory as the home of the worker, and a fake AWS.
    private struct Bench: Sendable {
        let home: String
        let aws: FakeAWS

        func write(_ name: String, _ text: String) throws {
            let url = URL(filePath: "\(home)/\(name)")
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }

        /// The source of the credentials that a caller gets, and the key that it signs with.
        func origin(_ environment: [String: String], block: JSONValue = .null) async throws -> String {
            let surroundings = [
                "HOME": home, "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_ENDPOINT_URL": aws.url, "NO_PROXY": "*",
            ]
            let connection = try AWSConnections(environment: surroundings.merging(environment) { $1 })
                .connection(AWSConfiguration(block: block, allowsHostCredentials: true))
            return try await connection.origin()
        }
    }

    private func withBench(
        _ answer: @escaping @Sendable (FakeAWS.Call) -> FakeAWS.Answer = { Self.roles($0) },
        _ body: (Bench) async throws -> Void
    ) async throws {
        let home = FileManager.default.temporaryDirectory.appending(path: "aws-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: home) }
        try await body(Bench(home: home, aws: FakeAWS(answer)))
    }

    /// Answers requests for roles with keys that are named after the caller's.
    private static func roles(_ call: FakeAWS.Call) -> FakeAWS.Answer {
        .text(
            """
            <R><Credentials><AccessKeyId>of-\(call.key)</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
            <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></R>
            """)
    }

    private static let keys = ["AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "s"]

    @Test("keys in the environment come first, then a role of the profile, then its keys")
    func order() async throws {
        try await withBench { bench in
            try bench.write(
                ".aws/credentials",
                "[default]\naws_access_key_id=F\naws_secret_access_key=s\n[other]\n"
                    + "aws_access_key_id=O\naws_secret_access_key=s\n")
            #expect(try await bench.origin([:]) == "the profile 'default'")
            #expect(try await bench.origin(Self.keys) == "the environment")
            #expect(try await bench.origin(["AWS_PROFILE": "other"]) == "the profile 'other'")
            try bench.write(
                ".aws/config", "[default]\nrole_arn=arn:r\nsource_profile=other\nexternal_id=x\nduration_seconds=900\n")
            #expect(try await bench.origin([:]) == "the role 'arn:r'")
            let call = try #require(bench.aws.calls.first)
            #expect(call.key == "O" && call.service == "sts" && call.parameters["ExternalId"] == "x")
            #expect(call.parameters["DurationSeconds"] == "900")
            // A profile that a block names takes precedence over keys in the environment.
            #expect(try await bench.origin(Self.keys, block: ["profile_name": "other"]) == "the profile 'other'")
        }
    }

    @Test("a role may use the keys of its surroundings, and a chain of profiles ends")
    func sources() async throws {
        try await withBench { bench in
            try bench.write(
                ".aws/config",
                """
                [default]
                role_arn = arn:env
                credential_source = Environment
                [profile a]
                role_arn = arn:a
                source_profile = b
                [profile b]
                role_arn = arn:b
                source_profile = a
                [profile mfa]
                role_arn = arn:m
                source_profile = default
                mfa_serial = arn:device
                """)
            #expect(try await bench.origin(Self.keys.merging(["AWS_PROFILE": ""]) { $1 }) == "the environment")
            for (profile, part) in [
                ("a", "leads back to itself"), ("mfa", "mfa_serial"), ("none", "no AWS profile 'none'"),
            ] {
                let error = await #expect(throws: CredentialFailure.self) {
                    try await bench.origin(["AWS_PROFILE": profile])
                }
                #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
            }
        }
    }

    @Test("a web identity token is exchanged without a signature")
    func webIdentity() async throws {
        try await withBench { bench in
            try bench.write("token", "jwt\n")
            let environment = ["AWS_WEB_IDENTITY_TOKEN_FILE": "\(bench.home)/token", "AWS_ROLE_ARN": "arn:web"]
            #expect(try await bench.origin(environment) == "the role 'arn:web'")
            let call = try #require(bench.aws.calls.first)
            #expect(call.operation == "AssumeRoleWithWebIdentity" && call.key == "")
            #expect(call.parameters["WebIdentityToken"] == "jwt")
        }
    }

    @Test("a block's role is assumed with the block's keys, and its parameters are passed on")
    func blockRole() async throws {
        try await withBench { bench in
            let block: JSONValue = [
                "aws_access_key_id": "B", "aws_secret_access_key": "s", "assume_role_arn": "arn:r",
                "assume_role_kwargs": [
                    "ExternalId": "x", "Policy": nil, "PolicyArns": [["arn": "arn:p"]],
                    "Tags": [["Key": "k", "Value": "v"]], "TransitiveTagKeys": ["k"],
                ],
            ]
            #expect(try await bench.origin([:], block: block) == "the role 'arn:r'")
            let parameters = try #require(bench.aws.calls.first?.parameters)
            #expect(parameters["PolicyArns.member.1.arn"] == "arn:p" && parameters["TransitiveTagKeys.member.1"] == "k")
            #expect(parameters["Tags.member.1.Value"] == "v" && parameters["Policy"] == nil)
            #expect(parameters["RoleSessionName"]?.stringValue?.hasPrefix("prefect-session-") == true)
        }
    }

    @Test("a container and a machine give keys, each by its own protocol")
    func metadata() async throws {
        try await withBench({ call in
            let keys: JSONValue = [
                "AccessKeyId": "M", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z",
            ]
            switch call.target {
            case "/container?x=1": return call.headers["authorization"] == "secret" ? .json(keys) : .status(401)
            case "/latest/api/token": return call.method == "PUT" ? .text("imds") : .status(405)
            default:
                guard call.headers["x-aws-ec2-metadata-token"] == "imds" else { return .status(401) }
                if call.target.hasSuffix("/security-credentials/") { return .text("my-role\n") }
                return call.target.hasSuffix("/security-credentials/my-role") ? .json(keys) : .status(404)
            }
        }) { bench in
            try bench.write("token", "secret\n")
            let container = [
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(bench.aws.url)/container?x=1",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "\(bench.home)/token",
            ]
            #expect(try await bench.origin(container) == "the container's credentials")
            let machine = [
                "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "\(bench.aws.url)/",
            ]
            #expect(try await bench.origin(machine) == "the role 'my-role' of this machine")
            for url in ["http://example.com/x", "http://127.0.0.1@example.com/", "http://127.0.0.1.example.com/"] {
                await #expect(throws: CredentialFailure.self) {
                    try await bench.origin(["AWS_CONTAINER_CREDENTIALS_FULL_URI": url])
                }
            }
        }
    }

    @Test("a program of the profile gives keys, and the error of a failing one lacks its output")
    func process() async throws {
        try await withBench { bench in
            try bench.write(
                ".aws/config",
                """
                [default]
                credential_process = echo '{"Version": 1, "AccessKeyId": "P", "SecretAccessKey": "s"}'
                [profile broken]
                credential_process = echo secret; exit 3
                """)
            #expect(try await bench.origin([:]) == "the credential_process of 'default'")
            let error = await #expect(throws: CredentialFailure.self) {
                try await bench.origin(["AWS_PROFILE": "broken"])
            }
            let text = error?.description ?? ""
            #expect(text.contains("status 3") && !text.contains("secret"), "\(text)")
        }
    }

    @Test("a session of single sign-on gives keys, is renewed, and asks for a login when it has expired")
    func singleSignOn() async throws {
        try await withBench({ call in
            if call.target == "/token" { return .json(["accessToken": "fresh", "expiresIn": 3600]) }
            guard call.headers["x-amz-sso_bearer_token"] == "fresh" else { return .status(401) }
            return .json([
                "roleCredentials": [
                    "accessKeyId": "S", "secretAccessKey": "s", "sessionToken": "t", "expiration": 4_070_908_800_000,
                ]
            ])
        }) { bench in
            try bench.write(
                ".aws/config",
                """
                [default]
                sso_session = my
                sso_account_id = 1
                sso_role_name = r
                [sso-session my]
                sso_start_url = https://x
                sso_region = us-east-1
                """)
            let error = await #expect(throws: CredentialFailure.self) { try await bench.origin([:]) }
            #expect(error?.description.contains("run 'aws sso login --profile default'") == true)
            #expect(error?.isTransient == true)
            let cache = "\(bench.home)/.aws/sso/cache"
            let token: JSONValue = [
                "accessToken": "old", "expiresAt": "2020-01-01T00:00:00Z", "refreshToken": "r", "clientId": "c",
                "clientSecret": "s",
            ]
            try bench.write(".aws/sso/cache/\(Self.digest).json", token.serialized())
            #expect(try await bench.origin([:]) == "the single sign-on of 'default'")
            let kept = try JSONValue(parsing: [UInt8](Data(contentsOf: URL(filePath: "\(cache)/\(Self.digest).json"))))
            #expect(kept["accessToken"] == "fresh" && kept["clientId"] == "c")
        }
    }

    /// The SHA-1 of the session's name, which names the file of its token.
    private static let digest = "3ece1471f44f63177cbc35ba0b904e0c096b6783"

    @Test("a chain without any source says what was tried")
    func nothing() async throws {
        try await withBench { bench in
            let error = await #expect(throws: CredentialFailure.self) { try await bench.origin([:]) }
            let text = error?.description ?? ""
            for part in [
                "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", ".aws/config", "machine", "aws-credentials",
            ] {
                #expect(text.contains(part), "\(text)")
            }
        }
    }

    @Test("expired keys are read again, and the request is repeated with the new ones")
    func renewal() async throws {
        let round = Mutex(0)
        try await withBench({ call in
            if call.operation == "AssumeRole" {
                let number = round.withLock { round in
                    round += 1
                    return round
                }
                return .text(
                    """
                    <R><Credentials><AccessKeyId>K\(number)</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                    <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></R>
                    """)
            }
            if call.key == "K1" {
                return .refusal("ExpiredTokenException", "The security token is expired", status: 403)
            }
            return .json(["taskArns": []])
        }) { bench in
            let block: JSONValue = [
                "aws_access_key_id": "B", "aws_secret_access_key": "s", "assume_role_arn": "arn:r", "region_name": "r1",
            ]
            let connection = try AWSConnections(environment: ["NO_PROXY": "*"], endpoint: bench.aws.url)
                .connection(AWSConfiguration(block: block, allowsHostCredentials: false))
            _ = try await connection.client(.ecs).json("ListTasks", [:])
            #expect(bench.aws.calls.map(\.key) == ["B", "K1", "B", "K2"])
            #expect(bench.aws.calls.last?.region == "r1")
        }
    }

    @Test("blocks are checked, and name files of the host only where that is allowed")
    func blocks() throws {
        func refusal(_ block: JSONValue) -> String {
            do {
                _ = try AWSConfiguration(block: block, allowsHostCredentials: false)
                return ""
            } catch {
                return error.message
            }
        }
        #expect(refusal(["aws_access_key_id": "A"]).contains("alone"))
        #expect(refusal(["aws_access_key_id": 7]).contains("aws_credentials.aws_access_key_id"))
        #expect(refusal(["profile_name": "p"]).contains("--allow-host-credentials"))
        #expect(refusal(["aws_client_parameters": ["verify_cert_path": "/x"]]).contains("verify_cert_path"))
        #expect(refusal([:]) == "" && refusal(.null) == "")
        let connections = try AWSConnections(environment: ["HOME": "/nowhere"])
        let error = #expect(throws: InfrastructureError.self) { try connections.connection(.surroundings) }
        #expect(error?.message.contains("AWS_DEFAULT_REGION") == true)
    }
}
