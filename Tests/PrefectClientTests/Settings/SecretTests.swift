import PrefectClient
import Testing

@Suite("Secrets in settings")
struct SecretTests {
    /// The texts in which a program can print a value by accident.
    private func everyText(of value: Any) -> String {
        var dumped = ""
        dump(value, to: &dumped)
        return [
            dumped, String(describing: value), String(reflecting: value), "\(value)",
            Mirror(reflecting: value).children.map { "\($0)" }.joined(),
        ].joined(separator: "\n")
    }

    @Test("a secret is shown only by reveal()")
    func masked() {
        let secret = Secret("pnu_topsecret")
        #expect(secret.reveal() == "pnu_topsecret")
        #expect(!everyText(of: secret).contains("topsecret"))
        #expect(!everyText(of: [secret]).contains("topsecret"))
        #expect(!everyText(of: (name: "x", secret: Optional(secret))).contains("topsecret"))
        #expect(secret == Secret("pnu_topsecret"))
        #expect(secret != Secret("other"))
    }

    @Test("settings never show a secret of any source")
    func settingsMask() throws {
        let directory = try SettingsDirectory([
            "work/prefect.toml": "[client.custom_headers]\nAuthorization = \"Bearer topsecret1\"\n",
            "home/.prefect/profiles.toml":
                "active = \"a\"\n[profiles.a]\nPREFECT_SERVER_DATABASE_PASSWORD = \"topsecret2\"\n",
        ])
        let settings = try directory.load([
            "PREFECT_API_KEY": "topsecret3", "PREFECT_API_AUTH_STRING": "me:topsecret4",
            "PREFECT_API_URL": "https://me:topsecret5@host/api",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql://u:topsecret6@db/x",
        ])
        let shown = [
            everyText(of: settings), everyText(of: settings.assignments), everyText(of: settings.apiKey as Any),
            everyText(of: settings.assignments.map(\.value)), everyText(of: settings.redactor),
        ].joined(separator: "\n")
        #expect(!shown.contains("topsecret"))
        #expect(shown.contains("PREFECT_API_KEY=********"))
        #expect(shown.contains("https://me:********@host/api"))
        #expect(shown.contains("{Authorization: ********}"))
    }

    @Test("a redactor masks every occurrence of every secret, the longest first")
    func redacts() {
        let redactor = SecretRedactor(secrets: ["abcdef", "abcdefgh", "héllo wörld", "short", ""])
        #expect(redactor.redact("x abcdef, abcdefgh; abcdefabcdef!") == "x ********, ********; ****************!")
        #expect(redactor.redact("say héllo wörld") == "say ********")
        #expect(redactor.redact("abcdef") == "********")
        #expect(redactor.redact("short abcde") == "short abcde")
        #expect(redactor.redact("") == "")
        #expect(SecretRedactor(secrets: []).redact("abcdef") == "abcdef")
    }

    @Test("the settings' redactor masks only the credentials")
    func settingsRedactor() throws {
        let redactor = try settings([
            "PREFECT_API_KEY": "pnu_abc123", "PREFECT_API_AUTH_STRING": "admin:passw0rd",
            "PREFECT_API_URL": "https://me:urlpass@host/api",
            "PREFECT_CLIENT_CUSTOM_HEADERS":
                #"{"Authorization": "Bearer tok-123", "X-Api-Key": "key-456", "X-Team": "engineering", "X-Secret": "abc"}"#,
        ]).redactor
        let masked = Secret.mask
        #expect(redactor.redact("key pnu_abc123.") == "key \(masked).")
        #expect(redactor.redact("admin:passw0rd and passw0rd") == "\(masked) and \(masked)")
        #expect(redactor.redact("Basic YWRtaW46cGFzc3cwcmQ=") == "Basic \(masked)")
        #expect(redactor.redact("https://me:urlpass@host/api") == "https://me:\(masked)@host/api")
        #expect(redactor.redact("Bearer tok-123 / tok-123 / key-456") == "\(masked) / \(masked) / \(masked)")
        #expect(redactor.redact("admin engineering abc") == "admin engineering abc")
    }
}
