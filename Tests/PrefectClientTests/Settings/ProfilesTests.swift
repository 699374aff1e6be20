import FoundationEssentials
import PrefectClient
import Testing

@Suite("Profiles")
struct ProfilesTests {
    private static let two = """
        active = "a"
        [profiles.a]
        PREFECT_API_URL = "A"
        [profiles.b]
        PREFECT_API_URL = "B"
        """

    private func settingsDirectory(_ profiles: String) throws -> SettingsDirectory {
        try SettingsDirectory(["home/.prefect/profiles.toml": profiles])
    }

    @Test("--profile takes precedence over PREFECT_PROFILE, which takes precedence over the active profile")
    func choice() throws {
        let directory = try settingsDirectory(Self.two)
        #expect(try directory.load().apiURL == "A")
        #expect(try directory.load(["PREFECT_PROFILE": "b"]).apiURL == "B")
        #expect(try directory.load(["PREFECT_PROFILE": ""]).apiURL == "A")
        #expect(try directory.load(["PREFECT_PROFILE": "b"], profile: "a").profileName == "a")
    }

    @Test("a requested profile that does not exist is refused with a list of the existing profiles")
    func unknown() throws {
        let directory = try settingsDirectory(Self.two)
        #expect(
            directory.refusal(profile: "nope")
                == "the profile 'nope', asked for with --profile, is not in @DIR@/home/.prefect/profiles.toml; there are: a, b, cloud, ephemeral, local, test"
        )
        #expect(
            directory.refusal(["PREFECT_PROFILE": "zz"]).hasPrefix("the profile 'zz', asked for with PREFECT_PROFILE,"))
        #expect(
            try SettingsDirectory().refusal(profile: "a").contains(
                "profiles.toml, which does not exist; there are: cloud")
        )
    }

    @Test("without a profiles file the built-in profile allows the ephemeral server")
    func builtIn() throws {
        let settings = try SettingsDirectory().load()
        #expect(settings.profileName == "ephemeral")
        #expect(settings.environmentForJobs().map(\.name) == ["PREFECT_SERVER_EPHEMERAL_ENABLED"])
        #expect(settings.environmentForJobs().map(\.value) == ["True"])
        #expect(
            settings.source(of: "PREFECT_SERVER_EPHEMERAL_ENABLED")?.description
                == "PREFECT_SERVER_EPHEMERAL_ENABLED in the built-in profile 'ephemeral'")
        #expect(settings.warnings.isEmpty)
        #expect(try SettingsDirectory().load(profile: "local").apiURL == "http://127.0.0.1:4200/api")
    }

    @Test("an active profile that does not exist causes a warning")
    func missingActive() throws {
        let settings = try settingsDirectory("active = \"zz\"\n[profiles.a]\nPREFECT_API_URL = \"A\"\n").load()
        #expect(settings.profileName == "ephemeral")
        #expect(settings.warnings.count == 1)
        #expect(settings.warnings.first?.hasPrefix("the active profile 'zz' is not in ") == true)
    }

    @Test("an empty profiles file causes a warning")
    func empty() throws {
        let settings = try settingsDirectory("").load()
        #expect(settings.profileName == "ephemeral")
        #expect(settings.warnings.first?.hasSuffix("profiles.toml is empty: it names no profile") == true)
    }

    @Test("a profiles file that cannot be read causes a warning, or an error if a profile is requested")
    func unreadable() throws {
        let directory = try SettingsDirectory()
        try FileManager.default.createDirectory(
            atPath: directory.home + "/.prefect/profiles.toml", withIntermediateDirectories: true)
        let settings = try directory.load()
        #expect(settings.profileName == "ephemeral")
        #expect(settings.warnings.first?.hasSuffix("cannot be read and is left out: it is a directory") == true)
        #expect(
            directory.refusal(profile: "a").contains(
                "profiles.toml, which cannot be read: it is a directory; there are:"))
    }

    @Test("a profiles file that is not TOML is refused with the position of the error")
    func malformed() throws {
        let refusal = try settingsDirectory("active = \"a\"\n[profiles.a]\nPREFECT_API_KEY = pnu_secret\n").refusal()
        #expect(refusal.hasPrefix("@DIR@/home/.prefect/profiles.toml is not valid TOML: line 3, column 19: "))
        #expect(!refusal.contains("pnu_secret"))
    }

    @Test("values of a profile are used without substitution, as text or as TOML's own types")
    func values() throws {
        let settings = try settingsDirectory(
            """
            active = "a"
            [profiles.a]
            PREFECT_API_URL = "${HOME}"
            PREFECT_API_ENABLE_HTTP2 = true
            PREFECT_WORKER_QUERY_SECONDS = 3
            PREFECT_CLIENT_RETRY_EXTRA_CODES = [504, 500]
            PREFECT_CLIENT_CUSTOM_HEADERS = '{"a": "b"}'
            """
        ).load()
        #expect(
            settings.jobVariables == [
                "PREFECT_API_URL": "${HOME}", "PREFECT_API_ENABLE_HTTP2": "True", "PREFECT_WORKER_QUERY_SECONDS": "3.0",
                "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500,504", "PREFECT_CLIENT_CUSTOM_HEADERS": #"{"a": "b"}"#,
            ])
    }

    @Test("the profiles file is read from the path in the settings")
    func location() throws {
        let files = ["ph/profiles.toml": Self.two, "home/ph/profiles.toml": Self.two]
        let directory = try SettingsDirectory(files)
        #expect(try directory.load().apiURL == nil)
        #expect(try directory.load(["PREFECT_HOME": "@DIR@/ph"]).apiURL == "A")
        #expect(try directory.load(["PREFECT_HOME": "~/ph"]).apiURL == "A")
        #expect(try directory.load(["PREFECT_PROFILES_PATH": "../ph/profiles.toml"]).apiURL == "A")
        #expect(
            try directory.load(["PREFECT_HOME": "@DIR@/ph", "PREFECT_PROFILES_PATH": "$PREFECT_HOME/profiles.toml"])
                .apiURL
                == "A")
        #expect(try directory.load(["PREFECT_HOME": "@DIR@/ph"]).profilesFile == directory.path + "/ph/profiles.toml")
        for (name, text) in [
            ("work/.env", "PREFECT_PROFILES_PATH=@DIR@/ph/profiles.toml\n"),
            ("work/prefect.toml", "profiles_path = \"@DIR@/ph/profiles.toml\"\n"),
            ("work/pyproject.toml", "[tool.prefect]\nprofiles_path = \"@DIR@/ph/profiles.toml\"\n"),
        ] {
            #expect(try SettingsDirectory(files.merging([name: text]) { $1 }).load().apiURL == "A", "\(name)")
        }
    }

    @Test("Prefect's test mode ignores profiles")
    func testMode() throws {
        let settings = try settingsDirectory(Self.two).load(["PREFECT_TEST_MODE": "1"])
        #expect(settings.apiURL == nil)
        #expect(settings.loggingLevel == .debug)
    }
}
