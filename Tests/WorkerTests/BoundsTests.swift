import BackendKit
import FoundationEssentials
import HTTPTransport
import Logging
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@testable import WorkerKit

@Suite("Limits on the size of answers and messages", .serialized)
struct BoundsTests {
    private static let poll = "*/get_scheduled_flow_runs"

    /// The answer to a poll with `count` runs: first the given runs of the API, then runs that the API does not know.
    private func rows(of runs: [String], in api: FakePrefectAPI, count: Int) -> JSONValue {
        let parameters: JSONValue = ["text": .string(String(repeating: "x", count: 200))]
        let others = (runs.count..<count).map { _ -> JSONValue in
            ["id": UUID().jsonValue, "flow_id": UUID().jsonValue, "name": "n", "parameters": parameters]
        }
        return .array((runs.map { api.flowRun($0) } + others).map { ["flow_run": $0] })
    }

    @Test("a worker takes no more of ten thousand due runs than it requested", .timeLimit(.minutes(10)))
    func tenThousand() async throws {
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(250, deployment: deployment)
            let all = rows(of: runs, in: api, count: 10_000)
            api.script(path: Self.poll, times: 1, answer: .status(200, body: all))
            api.script(path: Self.poll, answer: .status(200, body: []))
            let before = ResidentMemory.current
            try await withWorker(api) { subject in
                try await eventually(within: .seconds(60), "as many runs have started as were requested") {
                    subject.backend.startCount == 200
                }
                let polls = api.requests("POST", Self.poll)
                #expect(polls.first?.body["limit"] == nil)
                try await api.waitUntil("the worker continues to poll") {
                    $0.requests("POST", Self.poll).count > polls.count + 2
                }
                #expect(subject.backend.startCount == 200)
                #expect(subject.worker.registry.count == 200)
                #expect(Set(subject.backend.started) == Set(runs.prefix(200)))
                let warnings = subject.log.messages(.warning).filter { $0.contains("for a limit of 200") }
                #expect(warnings.count == 1)
                #expect(warnings.first?.contains("10000 flow runs") == true)
            }
            #expect(ResidentMemory.current - before < 400 << 20)
        }
    }

    /// The kinds of values in a run that exceed the limits of an answer.
    enum Excess: CaseIterable {
        case size, values, depth

        var value: JSONValue {
            switch self {
            case .size: .string(String(repeating: "x", count: 13 << 20))
            case .values: .array(Array(repeating: ["a": 0], count: 100_000))
            case .depth: (0..<300).reduce(into: JSONValue.array([])) { value, _ in value = .array([value]) }
            }
        }
    }

    @Test("a run that is too large to be read crashes with the reason and hides no others", arguments: Excess.allCases)
    func excess(_ excess: Excess) async throws {
        try await withPool { api, deployment in
            let large = api.scheduleRun(deployment: deployment, at: .now - 60, jobVariables: ["value": excess.value])
            let other = api.scheduleRun(deployment: deployment)
            let backend = FakeBackend { $0.immediateEnd = { _ in .reported("COMPLETED") } }
            try await withWorker(api, backend: backend, serve: { $0.limit = 1 }) { subject in
                try await api.waitUntil("the large run has crashed") { $0.run(large)?.stateType == .crashed }
                try await eventually("the other run has started") { subject.backend.started == [other] }
                let message = api.run(large)?.state?.message
                #expect(message?.contains("the flow run is too large or nested too deep") == true, "\(message ?? "")")
                try await subject.waitUntilIdle()
                #expect(subject.services.ledger.entries.isEmpty)
            }
        }
    }

    @Test("a worker that polls once also requests fewer runs after an answer that is too large")
    func excessOnce() async throws {
        try await withPool { api, deployment in
            let large = api.scheduleRun(deployment: deployment, jobVariables: ["value": Excess.depth.value])
            try await withWorker(api, serve: { $0.runsOnce = true }) { subject in
                try await subject.waitForEnd()
                #expect(api.run(large)?.stateType == .crashed)
            }
        }
    }

    @Test("the log names a limited number of unreadable runs and counts the others")
    func unreadable() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let broken = (0..<1000).map { _ in ["flow_run": ["name": "no id"]] as JSONValue }
            let good: JSONValue = ["flow_run": api.flowRun(run)]
            api.script(path: Self.poll, times: 1, answer: .status(200, body: .array(broken + [good])))
            try await withWorker(api) { subject in
                try await eventually("the readable run has started") { subject.backend.started == [run] }
                let problems = subject.log.messages(.error)
                #expect(problems.count == 11)
                #expect(problems.last?.hasPrefix("990 more flow runs") == true)
            }
        }
    }

    @Test("an answer with a length of a hundred megabytes is not awaited; fewer runs are requested immediately")
    func announced() async throws {
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(3, deployment: deployment)
            let head = Array("HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n".utf8)
            // No body follows the head.
            api.script(path: Self.poll, times: 3, answer: .raw(head))
            try await withWorker(api) { subject in
                try await eventually("all runs have started") { subject.backend.started.count == runs.count }
                let limits = api.requests("POST", Self.poll).prefix(4).map { $0.body["limit"]?.intValue }
                #expect(limits == [nil, 50, 12, 3])
            }
        }
    }

    @Test("an endless answer to a poll is dropped")
    func endless() async throws {
        let chunk = Array("10000\r\n".utf8) + Array(repeating: 0x20, count: 65_536) + Array("\r\n".utf8)
        let answer = HostileServer.Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", rest: chunk)
        try await withHostileServer(answer) { server in
            let transport = try HTTPTransport(TransportConfiguration(proxies: .direct))
            let client = APIClient(configuration: .init(url: server.url, csrfEnabled: false), transport: transport)
            let error = await #expect(throws: APIError.self) {
                try await client.poll(workPool: "p", queues: [], scheduledBefore: .now, limit: nil)
            }
            #expect(error?.description.contains("larger than the limit of 12582912 bytes") == true)
            try await eventually("the connection is closed") { server.openConnections == 0 }
            // The limit, plus the data that the system and the transport buffer.
            #expect(server.sentBytes < 38 << 20)
            await transport.shutdown()
        }
    }

    @Test("lines and messages of ten megabytes are truncated before they are stored")
    func longLines() async throws {
        try await withPool { api, deployment in
            let text = String(repeating: "x", count: 10 << 20)
            let run = api.scheduleRun(deployment: deployment)
            let backend = FakeBackend {
                $0.beforeStart = { job in
                    job.reporter.log(.info, text)
                    throw InfrastructureError(.refused, "no: \(text)")
                }
            }
            try await withWorker(api, backend: backend) { subject in
                try await api.waitUntil("the run has crashed") { $0.run(run)?.stateType == .crashed }
                try await subject.waitUntilIdle()
                try await api.waitUntil("the run's log has arrived") { !$0.logs.isEmpty }
                let state = try #require(api.flowRun(run)["state"]?["message"]?.stringValue)
                #expect(state.hasSuffix("... [truncated]") && state.utf8.count <= StateCreate.maximumMessageBytes)
                #expect(api.logs.allSatisfy { ($0["message"]?.stringValue?.utf8.count ?? 0) <= 1_000_000 })
            }
        }
    }
}

@Suite("Number of runs that a poll requests")
struct PollSizeTests {
    @Test("a poll requests the free slots plus the unclaimed runs, and at most the server's own limit")
    func wanted() {
        let size = PollSize()
        #expect(size.wanted(free: nil, unclaimed: 7) == 200)
        #expect(size.wanted(free: 3, unclaimed: 2) == 5)
        #expect(size.wanted(free: 500, unclaimed: 0) == 200)
    }

    @Test("answers that are too large reduce the number down to one, and full answers raise it again")
    func shrinking() {
        var size = PollSize()
        #expect((0..<5).map { _ in size.shrink(from: size.wanted(free: nil, unclaimed: 0)) } == [50, 12, 3, 1, nil])
        #expect(size.wanted(free: nil, unclaimed: 0) == 1)
        for _ in 0..<9 { size.grow() }
        #expect(size.wanted(free: nil, unclaimed: 0) == 200)
    }

    @Test("an answer with more runs than requested is noted once")
    func excess() {
        var size = PollSize()
        let noted = [(200, 200), (201, 200), (10_000, 200)].map { size.isFirstExcess(of: $0.0, over: $0.1) }
        #expect(noted == [false, true, false])
    }
}
