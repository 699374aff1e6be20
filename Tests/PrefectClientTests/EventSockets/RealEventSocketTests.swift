import PrefectJSON
import TestSupport
import Testing

@testable import PrefectClient

@Suite("Event sockets of a real server", .requires(.prefectServer))
struct RealEventSocketTests {
    private static let name = "prefect-worker-test.event"

    private static func unique() -> String { UUIDv7.make() }

    @Test("the API returns each event sent over the socket once", .timeLimit(.minutes(10)))
    func eventsIn() async throws {
        let server = try PrefectServerClient.fromEnvironment()
        let resource = "prefect-worker-test.\(Self.unique())"
        let sent = (0..<300).map { number in
            EventCreate(
                name: Self.name, resource: ["prefect.resource.id": .string(resource), "number": .string("\(number)")])
        }
        try await withClient(of: server.url) { client, _ in
            // No API answers this client, so events can be sent only over the socket.
            try await withClient(of: "http://127.0.0.1:9/api") { nowhere, _ in
                let events = EventShipper(
                    api: nowhere, stream: EventStream(api: client), interval: .seconds(600),
                    logger: CapturedLog().logger)
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await events.run() }
                    for event in sent { events.add(event) }
                    try? await eventually(within: .seconds(30), "the socket is open") { events.isStreaming }
                    events.close()
                }
            }
        }
        // A server stores events some time after it has received them.
        try await eventually(within: .seconds(60), "the server has all events", every: .milliseconds(500)) {
            try await server.eventCount(of: resource) == sent.count
        }
        let newest = try await server.events(named: [Self.name], resource: resource)
        #expect(newest.compactMap { $0["id"]?.stringValue } == sent.suffix(50).reversed().map(\.id.text))
    }

    @Test("an event that the server cannot read does not prevent the delivery of the others", .timeLimit(.minutes(10)))
    func unreadable() async throws {
        let server = try PrefectServerClient.fromEnvironment()
        let resource = "prefect-worker-test.\(Self.unique())"
        let log = CapturedLog()
        try await withClient(of: server.url) { client, _ in
            let events = EventShipper(api: client, logger: log.logger)
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await events.run() }
                for number in 0..<9 {
                    let id: JSONValue = number == 4 ? .null : .string(resource)
                    events.add(EventCreate(name: Self.name, resource: ["prefect.resource.id": id]))
                }
                try? await eventually(within: .seconds(30), "the socket is open") { events.isStreaming }
                try? await eventually(within: .seconds(30), "the loss is logged") { !log.messages().isEmpty }
                events.close()
            }
        }
        #expect(log.messages().count == 1)
        #expect(log.messages().first?.hasPrefix("1 events were refused by the API and are lost") == true)
        try await eventually(within: .seconds(60), "the server has the other events", every: .milliseconds(500)) {
            try await server.eventCount(of: resource) == 8
        }
    }

    @Test(
        "events arrive only for runs of the selected pool, by its id or by its name",
        .timeLimit(.minutes(10)), arguments: [true, false])
    func eventsOut(byID: Bool) async throws {
        let server = try PrefectServerClient.fromEnvironment()
        let names = ["events-\(Self.unique())", "events-\(Self.unique())"]
        let flow = try await server.createFlow(name: names[0])
        var pools: [JSONValue] = []
        var deployments: [String] = []
        for name in names {
            pools.append(try await server.createPool(name: name))
            deployments.append(try await server.createDeployment(name: name, flow: flow, pool: name))
        }
        let pool = try #require(pools[0]["id"]?.stringValue)
        let selection = EventSelection(pools: byID ? .ids([pool]) : .named([names[0]]))
        try await withClient(of: server.url) { client, _ in
            let received = Record<ReceivedEvent>()
            let connections = Record<Void>()
            let subscription = EventSubscription(
                api: client, selection: selection, onConnect: { connections.add(()) })
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await subscription.run { received.add($0) } }
                defer { group.cancelAll() }
                try await eventually(within: .seconds(30), "the subscription is connected") { !connections.all.isEmpty }
                _ = try await server.createRun(deployment: deployments[1])
                let run = try await server.createRun(deployment: deployments[0])
                let later = try await server.createRun(deployment: deployments[0], after: .seconds(3600))
                try await eventually(within: .seconds(30), "both Scheduled events arrive") { received.all.count >= 2 }
                try await server.setState(of: run, to: "RUNNING", force: true)
                try await server.setState(of: run, to: "CANCELLING")
                try await eventually(within: .seconds(30), "the Cancelling event arrives") { received.all.count >= 3 }
                let events = received.all
                #expect(
                    events.map(\.event) == [
                        EventSelection.scheduled, EventSelection.scheduled, EventSelection.cancelling,
                    ])
                #expect(events.map(\.flowRunID) == [run, later, run])
                for event in events {
                    #expect(event.workPool == ReceivedEvent.Involved(id: pool, name: names[0]))
                    #expect(event.workQueue?.name == "default")
                    #expect(event.deployment?.id == deployments[0])
                }
                #expect(events[2].stateType == "CANCELLING")
            }
        }
        for deployment in deployments { try await server.deleteDeployment(deployment) }
        for name in names { try await server.deletePool(name) }
    }

    @Test("all events of one run arrive, whatever its states are named, and no others", .timeLimit(.minutes(10)))
    func eventsOfOneRun() async throws {
        let server = try PrefectServerClient.fromEnvironment()
        let name = "events-\(Self.unique())"
        let flow = try await server.createFlow(name: name)
        try await server.createPool(name: name)
        let deployment = try await server.createDeployment(name: name, flow: flow, pool: name)
        let run = try await server.createRun(deployment: deployment, after: .seconds(3600))
        let other = try await server.createRun(deployment: deployment, after: .seconds(3600))
        try await withClient(of: server.url) { client, _ in
            let received = Record<ReceivedEvent>()
            let connections = Record<Void>()
            let subscription = EventSubscription(
                api: client, selection: EventSelection(flowRunID: run), onConnect: { connections.add(()) })
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await subscription.run { received.add($0) } }
                defer { group.cancelAll() }
                try await eventually(within: .seconds(30), "the subscription is connected") { !connections.all.isEmpty }
                try await server.setState(of: other, to: "FAILED", force: true)
                try await server.setState(of: run, to: "COMPLETED", name: "Done", force: true)
                try await eventually(within: .seconds(30), "the event of the end arrives") {
                    received.all.contains { $0.event == "prefect.flow-run.Done" }
                }
                #expect(received.all.allSatisfy { $0.flowRunID == run })
            }
        }
        try await server.deleteDeployment(deployment)
        try await server.deletePool(name)
    }
}

extension PrefectServerClient {
    /// The number of events of a resource within an hour of now.
    fileprivate func eventCount(of resource: String) async throws -> Int? {
        let now = Timestamp.now
        let filter: JSONValue = [
            "any_resource": ["id": [.string(resource)]],
            "occurred": [
                "since": .string(now.adding(seconds: -3600).apiFormat),
                "until": .string(now.adding(seconds: 3600).apiFormat),
            ],
        ]
        return try await call("POST", "/events/filter", ["filter": filter, "limit": 1])["total"]?.intValue
    }
}
