import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@testable import PrefectClient

@Suite("Waiting for flow runs with the API's event socket")
struct FlowRunEventsTests {
    private static let reads = "/flow_runs/*"
    private static let socket = "/events/out"

    @Test("an event ends the wait although no read is due for an hour", .timeLimit(.minutes(5)))
    func event() async throws {
        let hour = Duration.seconds(3600)
        let pauses = FlowRunPauses(shortest: hour, longest: hour, longestWhileLive: hour)
        try await withFakePrefectAPI { api in
            let run = api.addRun(flow: api.addFlow(name: "f"), state: .running)
            let id = try #require(UUID(uuidString: run))
            try await withScriptedSocketServer(
                answer: { .accept(subprotocol: $0.header("Sec-WebSocket-Protocol")) },
                script: { socket in
                    try await socket.authenticate()
                    _ = try await socket.receive()
                    try await api.waitUntil("the run has ended") { $0.run(run)?.stateType == .completed }
                    let event = ReceivedEventTests.event("prefect.flow-run.Completed", run: run)
                    try await socket.send(["type": "event", "event": event])
                    try await socket.takeAll()
                }
            ) { sockets in
                let proxy = try await FaultProxy.start(to: api.url)
                proxy.intercept(path: "*" + Self.socket, .divert(toPort: sockets.port))
                try await withClient(of: proxy.url) { client, _ in
                    async let waited = client.waitForFlowRun(id: id, timeout: .seconds(120), pauses: pauses)
                    // The opening of the socket causes the second read.
                    try await api.waitUntil("the run was read twice") {
                        $0.requests("GET", Self.reads).filter { $0.status == 200 }.count == 2
                    }
                    api.setState(of: run, to: .completed)
                    #expect(try await waited.stateType == .completed)
                    #expect(api.requests("GET", Self.reads).count == 3)
                }
                await proxy.stop()
            }
        }
    }

    @Test("a wait whose socket is refused reads the run at the shorter pauses", arguments: [401, 403, 404, 503])
    func refused(status: Int) async throws {
        let pauses = FlowRunPauses(
            shortest: .milliseconds(10), longest: .milliseconds(100), longestWhileLive: .seconds(3600))
        try await withFakePrefectAPI { api in
            api.script(method: "GET", path: Self.socket, answer: .status(status))
            let run = api.addRun(flow: api.addFlow(name: "f"), state: .running)
            let id = try #require(UUID(uuidString: run))
            try await withClient(of: api.url) { client, _ in
                async let waited = client.waitForFlowRun(id: id, timeout: .seconds(60), pauses: pauses)
                try await api.waitUntil("the socket was refused, and the run is read again and again") {
                    let refusal = $0.requests("GET", Self.socket).first { $0.status == status }
                    guard let refusal else { return false }
                    return $0.requests("GET", Self.reads).filter { $0.number > refusal.number }.count >= 5
                }
                api.setState(of: run, to: .completed)
                #expect(try await waited.stateType == .completed)
            }
        }
    }

    @Test(
        "the event of a real server ends the longest pause", .requires(.prefectServer), .timeLimit(.minutes(10)))
    func realServer() async throws {
        try await withRealServer { real, cleanUp in
            let run = try await real.createFlowRun(ofFlow: uniqueName("wait"))
            cleanUp.add { try await real.deleteFlow(id: run.flowID) }
            let proxy = try await FaultProxy.start(to: real.apiURL)
            try await withClient(of: proxy.url, sleep: { try await Task.sleep(for: $0) }) { client, _ in
                async let waited = client.waitForFlowRun(id: run.id, timeout: .seconds(300))
                let times = { proxy.requests("GET", "*" + Self.reads).map(\.time) }
                // Only while the socket is open can a pause of eight seconds pass. The next pause has 15 seconds.
                try await eventually(within: .seconds(120), "a long pause is over", every: .milliseconds(100)) {
                    let last = Array(times().suffix(2))
                    return last.count == 2 && last[1].timeIntervalSince(last[0]) > 7
                }
                let reads = times().count
                _ = try await real.setFlowRunState(id: run.id, StateCreate(type: .completed), force: true)
                #expect(try await waited.stateType == .completed)
                let end = Array(times().dropFirst(reads - 1).prefix(2))
                try #require(end.count == 2)
                #expect(end[1].timeIntervalSince(end[0]) < 14)
            }
            await proxy.stop()
        }
    }
}
