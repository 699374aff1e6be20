import BackendKit
import Foundation
import GoogleAccess
import PrefectJSON
import Testing

@Suite("Credentials of Google Cloud")
struct CredentialsTests {
    private let key = TestAccount.file(tokenURL: "https://oauth2.googleapis.com/token")

    private func read(
        _ block: JSONValue?, _ environment: [String: String] = [:], allowed: Bool = false
    ) throws -> GoogleCredentials {
        try GoogleCredentials.read(
            block, for: BackendHost(environment: environment, allowsHostCredentials: allowed))
    }

    private func refusal(_ block: JSONValue?, _ environment: [String: String] = [:], allowed: Bool = false) -> String {
        do {
            _ = try read(block, environment, allowed: allowed)
            return "none"
        } catch {
            let text = "\(error)"
            #expect(!text.contains("\n") && !text.contains("BEGIN PRIVATE"))
            return text
        }
    }

    @Test("the key of a block is read as an object and as text, and its project can be replaced")
    func block() throws {
        #expect(try read(["service_account_info": key]).project == "a-project")
        let text = JSONValue.string(key.serialized())
        let credentials = try read(["service_account_info": text, "project": "other"])
        #expect(credentials.project == "other")
        #expect(credentials.serviceAccount == "worker@a-project.iam.gserviceaccount.com")
        #expect(credentials.shown(block: ["service_account_info": text])["service_account_info"] == "********")
    }

    @Test("a block that names a file or a program of the host needs the operator's permission")
    func hostCredentials() async throws {
        try await withDirectory { directory in
            let path = "\(directory)/key.json"
            try Data(key.serializedBytes()).write(to: URL(filePath: path))
            let block: JSONValue = ["service_account_file": .string(path)]
            #expect(refusal(block).contains("--allow-host-credentials"))
            #expect(try read(block, allowed: true).project == "a-project")
            #expect(
                refusal(["service_account_info": ["type": "external_account"]]).contains("--allow-host-credentials"))
        }
    }

    @Test("bad blocks are refused with the cause")
    func refusals() {
        #expect(refusal("text").contains("gcp-credentials"))
        #expect(refusal(["service_account_info": "no json"]).contains("no JSON object"))
        #expect(refusal(["service_account_info": ["type": "service_account"]]).contains("'token_uri'"))
        #expect(refusal(["service_account_info": ["type": "strange"]]).contains("'strange'"))
        let elsewhere = TestAccount.file(tokenURL: "http://169.254.169.254/token")
        #expect(refusal(["service_account_info": elsewhere]).contains("'token_uri'"))
        let hidden = TestAccount.file(tokenURL: "https://evil.example#.googleapis.com/token")
        #expect(refusal(["service_account_info": hidden]).contains("'token_uri'"))
        #expect(refusal(["service_account_info": key, "service_account_file": "/x"]).contains("remove one"))
        #expect(refusal(["service_account_file": "/nowhere/key.json"], allowed: true).contains("/nowhere/key.json"))
        #expect(refusal(nil, ["GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/adc.json"]).contains("/nowhere/adc.json"))
    }

    @Test("gcloud's file of default credentials is found, and its project comes from the configuration")
    func gcloud() async throws {
        try await withDirectory { directory in
            let user: JSONValue = [
                "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
            ]
            try Data(user.serializedBytes()).write(
                to: URL(filePath: "\(directory)/application_default_credentials.json"))
            try FileManager.default.createDirectory(
                atPath: "\(directory)/configurations", withIntermediateDirectories: true)
            try Data("[core]\nproject = from-gcloud\n[compute]\nregion = x\n".utf8).write(
                to: URL(filePath: "\(directory)/configurations/config_default"))
            let environment = ["CLOUDSDK_CONFIG": directory]
            #expect(try read(nil, environment).project == "from-gcloud")
            let named = environment.merging(["GOOGLE_CLOUD_PROJECT": "from-environment"]) { $1 }
            #expect(try read(nil, named).project == "from-environment")
        }
    }
}
