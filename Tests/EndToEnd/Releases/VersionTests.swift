import TestSupport
import Testing

@Suite("The version")
struct VersionTests {
    @Test("the program, its man page and the changelog have the same version")
    func everywhere() async throws {
        try await withTemporaryDirectory { directory in
            let printed = try await WorkerProgram.run(
                ["--version"], environment: WorkerProgram.environment(home: directory), in: directory)
            let version = try #require(printed.output.first?.split(separator: " ").dropFirst().first)
            let newest = try #require(
                Documentation.text("CHANGELOG.md").firstMatch(of: /\n## \[([^\]]+)\]/), "no version has a section")
            #expect(newest.1 == version)
            let manPage = try Documentation.text("systemd/prefect-worker.1").replacing("\\-", with: "-")
            #expect(manPage.contains("\"prefect-worker \(version)\""))
        }
    }
}
