import BackendKit
import PrefectJSON
import Testing

@testable import ContainerInstancesBackend

@Suite("Logs of containers", .timeLimit(.minutes(1)))
struct OutputTests {
    private static let task = GroupTask(flowRunID: "r", group: "g").text

    private static func line(_ number: Int) -> String {
        let second = number % 60
        return "2026-01-01T00:\(number / 60 + 10):\(second < 10 ? "0" : "")\(second).000000001Z line \(number)\n"
    }

    @Test("lines after a position are printed once, also those of the same moment and without a time")
    func positions() async throws {
        let azure = try FakeAzure()
        azure.change { state in
            state.groups["g"] = FakeAzure.group("g", "Running")
            state.log = "2026-01-01T00:00:01Z one\n2026-01-01T00:00:01Z two\ncontinued\n"
        }
        let client = try azure.client()
        let first = try await client.output(of: Self.task, after: nil)
        #expect(String(decoding: first.bytes, as: UTF8.self) == "one\ntwo\ncontinued\n")
        #expect(try await client.output(of: Self.task, after: first.position).bytes.isEmpty)
        azure.change { $0.log += "2026-01-01T00:00:01Z three\n2026-01-01T00:00:02Z\n" }
        let second = try await client.output(of: Self.task, after: first.position)
        #expect(String(decoding: second.bytes, as: UTF8.self) == "three\n\n")
    }

    @Test("more of a log is requested until it reaches back to the position")
    func gaps() async throws {
        let azure = try FakeAzure()
        azure.change { state in
            state.groups["g"] = FakeAzure.group("g", "Running")
            state.log = (0..<10).map(Self.line).joined()
        }
        let client = try azure.client()
        let start = try await client.output(of: Self.task, after: nil)
        azure.change { $0.log += (10..<60).map(Self.line).joined() }
        let near = try await client.output(of: Self.task, after: start.position)
        #expect(near.bytes.count { $0 == UInt8(ascii: "\n") } == 50)
        azure.change { $0.log += (60..<1800).map(Self.line).joined() }
        let far = try await client.output(of: Self.task, after: near.position)
        #expect(far.bytes.count { $0 == UInt8(ascii: "\n") } == 1740)
        let tails = azure.requests.filter { $0.path.hasSuffix("/logs") }.map { $0.query["tail"] }
        #expect(tails == [nil, "100", "100", "2000"])
    }

    @Test("a container without a log yet has no output, and a missing group is not found")
    func missing() async throws {
        let azure = try FakeAzure()
        azure.change { $0.groups["g"] = FakeAzure.group("g", "Waiting") }
        azure.fail("/logs", .error("400 Bad Request", "ContainerGroupDeploymentNotReady"))
        #expect(try await azure.client().output(of: Self.task, after: nil).bytes.isEmpty)
        azure.change { $0.groups = [:] }
        let error = await failure { try await azure.client().output(of: Self.task, after: nil) }
        #expect((error as? RemoteTaskError)?.kind == .notFound)
    }
}
