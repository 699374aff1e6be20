import FoundationEssentials
import TestSupport
import Testing

@testable import WorkerKit

@Suite("Fuzzing of the configuration of work pools", .timeLimit(.minutes(Fuzz.minutes)))
struct ConfigurationFuzzTests {
    private static let lines = [
        "limit = 20\n", "limit = 9223372036854775807\n", "limit = -1\n", "limit = inf\n", "limit = 1e300\n",
        "name = \"w\"\n", "name = \"a/b\"\n", "[pools.a]\n", "[pools.\"b c\"]\n", "[pools]\n", "[[pools.a]]\n",
        "type = \"docker\"\n", "queues = [\"a\", \"b\"]\n", "queues = [1]\n", "queues = [[\"a\"]]\n",
        "pools.x.limit = 3\n",
        "x = 1979-05-27T07:32:00Z\n", "x = nan\n",
    ]

    @Test("any file gives at least one pool, or is refused in one line")
    func anything() async throws {
        let path = FileManager.default.temporaryDirectory.path + "/pools-\(UUID().uuidString).toml"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await Fuzz.run(mostCases: 600) { random in
            let text = random.text(of: Self.lines, upTo: 8)
            try Data((random.oneIn(2) ? text : random.damaged(text)).utf8).write(to: URL(filePath: path))
            do {
                let plan = try ServingPlan(reading: path)
                try Fuzz.require(!plan.pools.isEmpty && plan.pools.allSatisfy { ($0.limit ?? 1) >= 1 }, text)
            } catch {
                let line = "\(error)"
                try Fuzz.require(!line.contains("\n"), "two lines: \(line)")
            }
        }
    }
}
