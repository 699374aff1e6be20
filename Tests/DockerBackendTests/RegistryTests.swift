import Foundation
import PrefectJSON
import TestSupport
import Testing

@testable import DockerBackend

@Suite("Images and registries")
struct RegistryTests {
    @Test(
        "an image reference is split into its name, its tag or digest, and its registry",
        arguments: [
            ("a", "a", nil, "docker.io"), ("a:1", "a", "1", "docker.io"), ("h:5000/a", "h:5000/a", nil, "h:5000"),
            ("h:5000/b/a:1", "h:5000/b/a", "1", "h:5000"), ("u/a:latest", "u/a", "latest", "docker.io"),
            ("localhost/a", "localhost/a", nil, "localhost"), ("r.io/a@sha256:0f", "r.io/a", "sha256:0f", "r.io"),
            ("r.io/a:1@sha256:0f", "r.io/a", "sha256:0f", "r.io"),
            ("index.docker.io/u/a", "index.docker.io/u/a", nil, "docker.io"),
        ] as [(String, String, String?, String)])
    func references(text: String, name: String, tag: String?, registry: String) {
        let reference = ImageReference(text)
        #expect(reference.name == name)
        #expect(reference.tag == tag)
        #expect(reference.registry == registry)
    }

    @Test("equivalent spellings of a registry's address denote the same registry")
    func addresses() {
        #expect(RegistryCredentials.isSame("https://index.docker.io/v1/", "docker.io"))
        #expect(RegistryCredentials.isSame("http://R.io", "r.io"))
        #expect(!RegistryCredentials.isSame("r.io:5000", "r.io"))
    }

    @Test("printed credentials show neither the password nor the token")
    func secrecy() {
        let credentials = RegistryCredentials(
            username: "u", password: "top-secret", identityToken: "top-secret", server: "r.io")
        var dumped = ""
        dump(credentials, to: &dumped)
        for text in ["\(credentials)", String(reflecting: credentials), dumped] {
            #expect(!text.contains("top-secret"))
        }
    }

    @Test("credentials for a registry come from the configuration file or from its helper")
    func configured() async throws {
        try await withTemporaryDirectory { directory in
            let helper = "\(directory)/docker-credential-lab"
            let script = """
                #!/bin/sh
                read server
                echo "$1 $server" >>'\(directory)/asked'
                case "$server" in
                token.io) echo '{"Username":"<token>","Secret":"t"}' ;;
                none.io) echo 'credentials not found in native keychain'; exit 1 ;;
                slow.io) sleep 600 ;;
                *) echo '{"Username":"hu","Secret":"hp"}' ;;
                esac
                """
            try Data(script.utf8).write(to: URL(filePath: helper))
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: helper)
            let configuration = """
                {"auths": {"https://index.docker.io/v1/": {"auth": "dTpwOnA="}, "r.io": {"identitytoken": "it"},
                 "empty.io": {}, "none.io": {"username": "fu", "password": "fp"}},
                 "credHelpers": {"h.io": "lab", "token.io": "lab", "none.io": "lab", "slow.io": "lab", "gone.io": "gone"}}
                """
            try Data(configuration.utf8).write(to: URL(filePath: "\(directory)/config.json"))
            let environment = ["DOCKER_CONFIG": directory, "PATH": "\(directory):/usr/bin:/bin"]
            var found = ConfiguredCredentials(
                directory: DockerConfigurationDirectory(environment: environment), environment: environment)
            let hub = try await found.find(for: ImageReference("u/a"))
            #expect(hub?.username == "u" && hub?.password == "p:p" && hub?.server == "https://index.docker.io/v1/")
            #expect(try await found.find(for: ImageReference("r.io/a"))?.identityToken == "it")
            #expect(try await found.find(for: ImageReference("empty.io/a")) == nil)
            #expect(try await found.find(for: ImageReference("other.io/a")) == nil)
            let helped = try await found.find(for: ImageReference("h.io/a"))
            #expect(helped?.username == "hu" && helped?.password == "hp")
            #expect(try await found.find(for: ImageReference("token.io/a"))?.identityToken == "t")
            #expect(try await found.find(for: ImageReference("none.io/a"))?.username == "fu")
            let asked = try String(contentsOfFile: "\(directory)/asked", encoding: .utf8)
            #expect(asked.split(separator: "\n") == ["get h.io", "get token.io", "get none.io"])
            await #expect(throws: CredentialHelper.Failure.self) {
                try await found.find(for: ImageReference("gone.io/a"))
            }
            found.helperTime = .milliseconds(100)
            let began = ContinuousClock.now
            await #expect(throws: CredentialHelper.Failure.self) {
                try await found.find(for: ImageReference("slow.io/a"))
            }
            #expect(ContinuousClock.now - began < .seconds(20))
        }
    }

    @Test("a long pull is reported every five seconds and at its end, and a short one is not")
    func progress() {
        let began = ContinuousClock.now
        var progress = PullProgress(image: "i", began: began)
        func note(_ id: String, _ status: String, _ current: Int, at seconds: Int) -> String? {
            progress.note(
                [
                    "id": .string(id), "status": .string(status),
                    "progressDetail": ["current": .int(current), "total": 2048],
                ],
                at: began + .seconds(seconds))
        }
        #expect(note("a", "Downloading", 1024, at: 1) == nil)
        #expect(progress.summary(at: began + .seconds(2)) == nil)
        #expect(note("b", "Pull complete", 0, at: 4) == nil)
        #expect(note("a", "Downloading", 1536, at: 5) == "Pulling image 'i': 1 of 2 layers, 1.5 KiB of 2 KiB")
        #expect(note("a", "Downloading", 2048, at: 9) == nil)
        #expect(note("a", "Pull complete", 0, at: 10) != nil)
        #expect(progress.summary(at: began + .seconds(11)) == "Pulled image 'i' in 11 s")
    }
}
