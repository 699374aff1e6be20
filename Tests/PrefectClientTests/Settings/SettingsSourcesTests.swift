import PrefectClient
import Testing

@Suite("Sources of settings")
struct SettingsSourcesTests {
    private static let profiles = """
        active = "a"
        [profiles.a]
        PREFECT_API_URL = "http://profile-a"
        [profiles.b]
        PREFECT_API_URL = "http://profile-b"
        """

    /// The files of all sources, from the highest to the lowest.
    private static let files: [(name: String, text: String)] = [
        ("work/.env", "PREFECT_API_URL=http://dotenv"),
        ("work/prefect.toml", "[api]\nurl = \"http://prefect-toml\""),
        ("work/pyproject.toml", "[tool.prefect.api]\nurl = \"http://pyproject\""),
        ("home/.prefect/profiles.toml", profiles),
    ]

    @Test("each source takes precedence over the sources below it", arguments: 0...5)
    func precedence(removed: Int) throws {
        let present = Self.files.dropFirst(max(0, removed - 1))
        let directory = try SettingsDirectory(Dictionary(uniqueKeysWithValues: present.map { ($0.name, $0.text) }))
        let settings = try directory.load(removed == 0 ? ["PREFECT_API_URL": "http://environment"] : [:])
        let expected: [(String?, SettingSource)] = [
            ("http://environment", .environment(variable: "PREFECT_API_URL")),
            ("http://dotenv", .dotenv(variable: "PREFECT_API_URL", file: directory.work + "/.env")),
            ("http://prefect-toml", .file(key: "api.url", file: directory.work + "/prefect.toml")),
            ("http://pyproject", .file(key: "tool.prefect.api.url", file: directory.work + "/pyproject.toml")),
            (
                "http://profile-a",
                .profile(name: "a", variable: "PREFECT_API_URL", file: directory.home + "/.prefect/profiles.toml")
            ),
            (nil, .default),
        ]
        #expect(settings.apiURL == expected[removed].0)
        #expect(settings.source(of: "PREFECT_API_URL") == expected[removed].1)
        #expect(settings.source(of: "PREFECT_NOT_A_SETTING") == nil)
    }

    @Test("a value that a higher source overrides need not be valid")
    func hidden() throws {
        let directory = try SettingsDirectory(["work/prefect.toml": "api.enable_http2 = \"junk\""])
        #expect(try directory.load(["PREFECT_API_ENABLE_HTTP2": "1"]).enableHTTP2)
        #expect(directory.refusal().contains("PREFECT_API_ENABLE_HTTP2"))
    }

    @Test("names in the environment and in .env are read in any case")
    func anyCase() throws {
        #expect(try settings(["prefect_api_url": "low"]).apiURL == "low")
        #expect(try settings(["prefect_api_url": "low", "PREFECT_API_URL": "up"]).apiURL == "up")
        let directory = try SettingsDirectory(["work/.env": "Prefect_Api_Url=x\n"])
        #expect(try directory.load().apiURL == "x")
    }

    @Test("a setting's first name takes precedence over its other names, except those in a higher source")
    func aliases() throws {
        let name = "PREFECT_CLIENT_METRICS_ENABLED"
        #expect(try settings(["PREFECT_CLIENT_ENABLE_METRICS": "1"]).jobVariables[name] == "True")
        let both = try settings(["PREFECT_CLIENT_ENABLE_METRICS": "1", "PREFECT_CLIENT_METRICS_ENABLED": "0"])
        #expect(both.jobVariables[name] == "False")
        #expect(
            both.source(of: "PREFECT_CLIENT_METRICS_ENABLED")
                == .environment(variable: "PREFECT_CLIENT_METRICS_ENABLED"))
        let directory = try SettingsDirectory([
            "work/.env": "PREFECT_CLIENT_METRICS_ENABLED=0\n",
            "home/.prefect/profiles.toml":
                "active = \"a\"\n[profiles.a]\nPREFECT_SERVER_ALLOW_EPHEMERAL_MODE = \"0\"\n",
        ])
        #expect(try directory.load(["PREFECT_CLIENT_ENABLE_METRICS": "1"]).jobVariables[name] == "True")
        #expect(
            try directory.load().environmentForJobs().contains { $0 == ("PREFECT_SERVER_EPHEMERAL_ENABLED", "False") })
    }

    @Test("custom headers of several sources are merged, those of the lowest source first")
    func headers() throws {
        let directory = try SettingsDirectory([
            "work/.env": #"PREFECT_CLIENT_CUSTOM_HEADERS={"c":"3","a":"env"}"#,
            "work/prefect.toml": "[client.custom_headers]\na = \"1\"\n",
        ])
        let settings = try directory.load(["PREFECT_CLIENT_CUSTOM_HEADERS": #"{"z":"9"}"#])
        #expect(settings.customHeaders.map(\.name) == ["a", "c", "z"])
        #expect(settings.customHeaders.map(\.value) == ["env", "3", "9"])
    }

    @Test("headers in TOML are a table or a string of JSON")
    func headersInTOML() throws {
        for text in ["[client.custom_headers]\nX-A = \"b\"\n", "client.custom_headers = '''{\"X-A\": \"b\"}'''\n"] {
            let settings = try SettingsDirectory(["work/prefect.toml": text]).load()
            #expect(settings.customHeaders.map { "\($0.name)=\($0.value)" } == ["X-A=b"])
        }
    }

    @Test("an empty URL counts as unset but is forwarded, and an empty number is refused")
    func emptyValues() throws {
        let loaded = try settings(["PREFECT_API_URL": "", "PREFECT_API_KEY": ""])
        #expect(loaded.apiURL == nil)
        #expect(loaded.apiKey == nil)
        #expect(loaded.jobVariables == ["PREFECT_API_URL": "", "PREFECT_API_KEY": ""])
        #expect(
            try SettingsDirectory().refusal(["PREFECT_WORKER_QUERY_SECONDS": ""])
                == #"PREFECT_WORKER_QUERY_SECONDS is not valid: expected a number, found "" (set by PREFECT_WORKER_QUERY_SECONDS in the environment)"#
        )
    }

    @Test("unknown keys cause warnings, and unknown variables and integrations do not")
    func unknownKeys() throws {
        let directory = try SettingsDirectory([
            "work/prefect.toml":
                "zzz = 1\n[api]\nurll = \"x\"\n[integrations.aws]\nx = 1\n[worker.query_seconds]\ny = 2\n",
            "work/pyproject.toml": "[project]\nname = \"p\"\n[tool.prefect.foo]\nbar = 1\n",
            "work/.env": "OTHER=1\nPREFECT_NO_SUCH=1\nwhat is this\n",
            "home/.prefect/profiles.toml":
                "active = \"a\"\n[profiles.a]\nFOO = \"x\"\nPREFECT_INTEGRATIONS_AWS_X = \"y\"\nprefect_api_url = \"low\"\n",
        ])
        let settings = try directory.load(["PREFECT_NOT_A_SETTING": "1", "PREFECT_API": #"{"url": "x"}"#])
        #expect(
            settings.warnings.map { $0.replacing(directory.path, with: "") } == [
                "PREFECT_API is not read: set each of its settings by a variable of its own",
                "line 3 of /work/.env is not NAME=value and is skipped",
                "the key 'api.urll' in /work/prefect.toml is not a setting and is left out",
                "'worker.query_seconds' in /work/prefect.toml is a table where a value belongs and is left out",
                "the key 'zzz' in /work/prefect.toml is not a setting and is left out",
                "the key 'tool.prefect.foo' in /work/pyproject.toml is not a setting and is left out",
                "the setting 'FOO' in the profile 'a' of /home/.prefect/profiles.toml is not known and is left out",
                "the setting 'prefect_api_url' in the profile 'a' of /home/.prefect/profiles.toml is not known and is left out",
            ])
        #expect(settings.environmentForJobs().isEmpty)
    }
}
