import FoundationEssentials
import JSON
import TestSupport
import Testing

@Suite("The documentation")
struct DocumentationTests {
    /// The folder of the package.
    private static let root = #filePath.components(separatedBy: "/Tests/EndToEnd/")[0]

    private static func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: "\(root)/\(path)")), as: UTF8.self)
    }

    private func run(_ arguments: [String], _ environment: [String: String] = [:]) async throws -> [String] {
        try await withTemporaryDirectory { folder in
            let outcome = try await WorkerProgram.run(
                arguments, environment: WorkerProgram.environment(home: folder, environment), in: folder)
            #expect(outcome.status == .exited(0), "\(outcome.text)")
            return outcome.output
        }
    }

    @Test("has the page of flags and settings that the program prints; `make settings-page` writes it anew")
    func settingsPage() async throws {
        let printed = try await run(["settings", "--markdown"], ["PREFECT_API_URL": "http://127.0.0.1:1/api"])
        let page = try Self.text("Sources/prefect-worker/Documentation.docc/Settings.md")
        let written = page.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
        #expect(written.difference(from: printed).isEmpty, "\(written.difference(from: printed))")
    }

    @Test("names every variable of the worker's own that the code reads")
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

    @Test("has a man page with every flag of every command; `make man` writes it anew")
    func manPage() async throws {
        let page = try Self.text("systemd/prefect-worker.1").replacing("\\", with: "")
        let dump = try JSONValue(parsing: await run(["--experimental-dump-help"]).joined(separator: "\n"))
        let commands = dump["command"]?["subcommands"]?.arrayValue ?? []
        #expect(commands.count > 5)
        var missing: [String] = []
        for command in commands {
            let name = command["commandName"]?.stringValue ?? ""
            if !page.contains(".It Em \(name)\n") { missing.append(name) }
            for argument in command["arguments"]?.arrayValue ?? [] {
                for flag in argument["names"]?.arrayValue ?? [] where flag["kind"] == "long" {
                    let flag = flag["name"]?.stringValue ?? ""
                    if !page.contains(" -\(flag)") { missing.append("\(name) --\(flag)") }
                }
            }
        }
        #expect(missing == [])
    }

    @Test(
        "has no link to a file that is not there",
        arguments: [
            "README.md", "examples/README.md", "examples/kubernetes/README.md",
            "Sources/prefect-worker/Documentation.docc/Operations.md",
            "Sources/prefect-worker/Documentation.docc/Process.md",
            "Sources/prefect-worker/Documentation.docc/Systemd.md",
            "Sources/prefect-worker/Documentation.docc/Docker.md",
            "Sources/prefect-worker/Documentation.docc/Kubernetes.md",
            "Sources/prefect-worker/Documentation.docc/Troubleshooting.md",
            "Sources/prefect-worker/Documentation.docc/prefect-worker.md",
        ])
    func links(page: String) throws {
        let folder = page.split(separator: "/").dropLast().joined(separator: "/")
        for match in try Self.text(page).matches(of: /\]\(([^)#]+)(#[^)]*)?\)/) where !match.1.contains("://") {
            #expect(FileManager.default.fileExists(atPath: "\(Self.root)/\(folder)/\(match.1)"), "\(match.1)")
        }
    }

    @Test("of the settings in force says what has set them, and shows no secret")
    func settings() async throws {
        let secret = "pnu_0123456789abcdef"
        let lines = try await run(
            ["settings"],
            [
                "PREFECT_API_KEY": secret, "PREFECT_API_URL": "https://user:hidden-word@example.com/api",
                "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "true", "https_proxy": "http://me:hidden-word@proxy:3128",
                "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES": "one,two",
            ])
        func cells(_ name: String) -> [String] {
            let line = lines.first { $0.hasPrefix(name + " ") } ?? ""
            return line.components(separatedBy: "  ").map { $0.filter { $0 != " " } }.filter { !$0.isEmpty }
        }
        #expect(cells("PREFECT_API_KEY") == ["PREFECT_API_KEY", "********", "PREFECT_API_KEYintheenvironment"])
        #expect(cells("PREFECT_WORKER_QUERY_SECONDS") == ["PREFECT_WORKER_QUERY_SECONDS", "10.0", "default"])
        #expect(cells("PREFECT_WORKER_CANCELLATION_POLL_SECONDS")[1] == "5.0")
        #expect(cells("https_proxy")[1] == "http://me:********@proxy:3128")
        #expect(cells("PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES")[1] == "one,two")
        let text = lines.joined(separator: "\n")
        #expect(text.contains("Handed on to flow runs"))
        #expect(cells("PREFECT_RESULTS_PERSIST_BY_DEFAULT")[1] == "True")
        for word in [secret, "hidden-word"] { #expect(!text.contains(word)) }
    }
}
