import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite("The documentation")
struct DocumentationTests {
    private static let root = Documentation.root

    private static func text(_ path: String) throws -> String { try Documentation.text(path) }

    private func run(_ arguments: [String], _ environment: [String: String] = [:]) async throws -> [String] {
        try await withTemporaryDirectory { directory in
            let outcome = try await WorkerProgram.run(
                arguments, environment: WorkerProgram.environment(home: directory, environment), in: directory)
            #expect(outcome.status == .exited(0), "\(outcome.text)")
            return outcome.output
        }
    }

    @Test("the page of flags and settings equals the program's output; `make settings-page` writes the page")
    func settingsPage() async throws {
        let printed = try await run(["settings", "--markdown"], ["PREFECT_API_URL": "http://127.0.0.1:1/api"])
        let page = try Self.text("Sources/prefect-worker/Documentation.docc/Settings.md")
        let written = page.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
        #expect(written.difference(from: printed).isEmpty, "\(written.difference(from: printed))")
    }

    @Test("the page of settings names every variable of the worker that the code reads")
    func ownVariables() throws {
        let page = try Self.text("Sources/prefect-worker/Documentation.docc/Settings.md")
        var read: Set<String> = []
        for file in try FileManager.default.subpathsOfDirectory(atPath: "\(Self.root)/Sources")
        where file.hasSuffix(".swift") {
            for match in try Self.text("Sources/\(file)").matches(of: /"(PREFECT_WORKER_[A-Z_]+)"/) {
                read.insert(String(match.1))
            }
        }
        #expect(read.contains("PREFECT_WORKER_PYTHON"))
        #expect(read.filter { !page.contains("`\($0)`") } == [])
    }

    @Test("the man page equals the program's output; `make man` writes the page")
    func manPage() async throws {
        let printed = try await run(["settings", "--man"], ["PREFECT_API_URL": "http://127.0.0.1:1/api"])
        let written = try Self.text("systemd/prefect-worker.1")
            .split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
        #expect(written.difference(from: printed).isEmpty, "\(written.difference(from: printed))")
        for section in ["FILES", "ENVIRONMENT", "SIGNALS", "EXIT STATUS", "EXAMPLES"] {
            #expect(written.contains(".SH \(section)"))
        }
        // A flag and its opposite are one entry with the text of the flag.
        #expect(written.contains(#".B \-\-run\-once, \-\-no\-run\-once"#))
    }

    @Test("shell completions contain types, policies and file names", arguments: ["bash", "zsh", "fish"])
    func completions(shell: String) async throws {
        let script = try await run(["--generate-completion-script", shell]).joined(separator: "\n")
        for word in ["kubernetes", "if-not-present", "toml"] { #expect(script.contains(word), "\(word)") }
    }

    @Test(
        "no page has a link to a missing file",
        arguments: [
            "README.md", "BENCHMARKS.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md",
            "examples/README.md", "examples/kubernetes/README.md",
            "Sources/prefect-worker/Documentation.docc/Operations.md",
            "Sources/prefect-worker/Documentation.docc/Replicas.md",
            "Sources/prefect-worker/Documentation.docc/ThreatModel.md",
            "Sources/prefect-worker/Documentation.docc/Process.md",
            "Sources/prefect-worker/Documentation.docc/Systemd.md",
            "Sources/prefect-worker/Documentation.docc/Docker.md",
            "Sources/prefect-worker/Documentation.docc/Kubernetes.md",
            "Sources/prefect-worker/Documentation.docc/Troubleshooting.md",
            "Sources/prefect-worker/Documentation.docc/Versions.md",
            "Sources/prefect-worker/Documentation.docc/prefect-worker.md",
        ])
    func links(page: String) throws {
        let directory = page.split(separator: "/").dropLast().joined(separator: "/")
        for match in try Self.text(page).matches(of: /\]\(([^)#]+)(#[^)]*)?\)/) where !match.1.contains("://") {
            #expect(FileManager.default.fileExists(atPath: "\(Self.root)/\(directory)/\(match.1)"), "\(match.1)")
        }
    }

    @Test("the command settings prints the source of each setting, and no secret")
    func settings() async throws {
        let secret = "pnu_0123456789abcdef"
        let lines = try await run(
            ["settings"],
            [
                "PREFECT_API_KEY": secret, "PREFECT_API_URL": "https://user:hidden-word@example.com/api",
                "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "true", "https_proxy": "http://me:hidden-word@proxy:3128",
                "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES": "one,two",
            ])
        /// The name, the value and, if something has set it, the source of a setting.
        func cells(_ name: String) -> [String] {
            guard let index = lines.firstIndex(where: { $0 == name || $0.hasPrefix(name + " ") }) else { return [] }
            let rest = lines[(index + 1)...].prefix { $0.hasPrefix("    ") }
            return lines[index].components(separatedBy: "  ").map { $0.filter { $0 != " " } }.filter { !$0.isEmpty }
                + rest.map { String($0.dropFirst(4)) }
        }
        #expect(
            cells("PREFECT_API_KEY") == ["PREFECT_API_KEY", "********", "set in the environment"])
        #expect(cells("PREFECT_WORKER_QUERY_SECONDS") == ["PREFECT_WORKER_QUERY_SECONDS", "10.0"])
        // Only lines with a path, and those with nothing but a name, may be longer.
        let long = lines.filter { $0.count > 80 && $0.contains(" ") && !$0.contains("/") }
        #expect(long == [])
        #expect(cells("PREFECT_WORKER_CANCELLATION_POLL_SECONDS")[1] == "5.0")
        #expect(cells("https_proxy")[1] == "http://me:********@proxy:3128")
        #expect(cells("PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES")[1] == "one,two")
        let text = lines.joined(separator: "\n")
        #expect(text.contains("Passed on to flow runs"))
        #expect(cells("PREFECT_RESULTS_PERSIST_BY_DEFAULT")[1] == "True")
        for word in [secret, "hidden-word"] { #expect(!text.contains(word)) }
    }

    @Test(
        "the units allow no core files, write to few places, and do not remove shared memory of runs",
        arguments: ["prefect-worker.service", "prefect-worker@.service"])
    func units(name: String) throws {
        let lines = try Self.text("systemd/\(name)").split(separator: "\n").map(String.init)
        for line in ["LimitCORE=0", "ProtectSystem=strict", "ReadWritePaths=/tmp /var/tmp", "KillMode=process"] {
            #expect(lines.contains(line), "\(line)")
        }
        #expect(!lines.contains { $0.hasPrefix("RemoveIPC=") })
    }

    @Test("the image's base has a digest, and its Python packages are pinned by version and hash")
    func requirements() throws {
        let directory = "examples/container"
        let build = try Self.text("\(directory)/Dockerfile")
        #expect(build.contains(/\nARG BASE=\S+@sha256:[0-9a-f]{64}\n/) && build.contains("\nFROM $BASE AS worker\n"))
        #expect(build.contains("--require-hashes"))
        let requirements = try Self.text("\(directory)/requirements.txt").replacing("\\\n", with: " ")
        let packages = requirements.split(separator: "\n").filter { !$0.allSatisfy(\.isWhitespace) }
        #expect(packages.count > 50)
        for package in packages { #expect(package.contains("==") && package.contains("--hash=sha256:"), "\(package)") }
        for wanted in try Self.text("\(directory)/requirements.in").split(separator: "\n") where wanted.contains("==") {
            #expect(packages.contains { $0.hasPrefix("\(wanted) ") }, "\(wanted)")
        }
    }
}
