import PrefectJSON
import Testing

@testable import PrefectClient

@Suite("Events received from the API")
struct ReceivedEventTests {
    /// A run's event with the members that a server sends.
    static func event(
        _ name: String = "prefect.flow-run.Scheduled", run: String = "r1", pool: String? = "p1",
        poolName: String = "pool"
    ) -> JSONValue {
        var related: [JSONValue] = [
            [
                "prefect.resource.id": "prefect.flow.f1", "prefect.resource.role": "flow",
                "prefect.resource.name": "hello",
            ],
            [
                "prefect.resource.id": "prefect.deployment.d1", "prefect.resource.role": "deployment",
                "prefect.resource.name": "daily",
            ],
            [
                "prefect.resource.id": "prefect.work-queue.q1", "prefect.resource.role": "work-queue",
                "prefect.resource.name": "default",
            ],
        ]
        if let pool {
            related.append([
                "prefect.resource.id": .string("prefect.work-pool.\(pool)"), "prefect.resource.role": "work-pool",
                "prefect.resource.name": .string(poolName), "prefect.work-pool.type": "process",
            ])
        }
        return [
            "occurred": "2026-03-04T05:06:07.891234Z", "event": .string(name),
            "resource": [
                "prefect.resource.id": .string("prefect.flow-run.\(run)"), "prefect.resource.name": "red-fox",
                "prefect.state-name": "Scheduled", "prefect.state-type": "SCHEDULED",
            ],
            "related": .array(related),
            "payload": [
                "intended": ["from": nil, "to": "SCHEDULED"], "initial_state": nil,
                "validated_state": ["type": "SCHEDULED", "name": "Scheduled"],
            ],
            "id": "01a1fec2-e6fd-74a1-a032-9ac8f0b41f4b", "follows": nil, "received": "2026-03-04T05:06:07.892Z",
        ]
    }

    private func read(_ json: JSONValue) throws -> ReceivedEvent {
        try ReceivedEvent(hint: json)
    }

    @Test("a run's event names the run, its state, pool, queue and deployment")
    func flowRun() throws {
        let event = try read(Self.event())
        #expect(event.id.text == "01a1fec2-e6fd-74a1-a032-9ac8f0b41f4b")
        #expect(event.event == EventSelection.scheduled)
        #expect(event.occurred == Timestamp("2026-03-04T05:06:07.891234Z"))
        #expect(event.flowRunID == "r1")
        #expect(event.flowRun?.name == "red-fox")
        #expect(event.workPool == ReceivedEvent.Involved(id: "p1", name: "pool"))
        #expect(event.workQueue == ReceivedEvent.Involved(id: "q1", name: "default"))
        #expect(event.deployment == ReceivedEvent.Involved(id: "d1", name: "daily"))
        #expect(event.stateType == "SCHEDULED")
        #expect(event.stateName == "Scheduled")
    }

    @Test("missing members and members of another type are ignored, except the id and the name")
    func tolerant() throws {
        let event = try read([
            "id": "e", "event": "x", "occurred": 5, "resource": [],
            "related": [nil, 3, ["prefect.resource.role": "work-pool"]],
            "payload": "text", "other": [:],
        ])
        #expect(event.flowRunID == nil)
        #expect(event.workPool == nil)
        #expect(event.stateType == nil)
        #expect(throws: JSONDecodingError.self) { try read(["event": "x"]) }
        #expect(throws: JSONDecodingError.self) { try read(["id": "e", "event": nil]) }
    }

    @Test("an event of a resource other than a flow run has no flow run")
    func otherKinds() throws {
        let event = try read([
            "id": "e", "event": "x", "resource": ["prefect.resource.id": "prefect.flow-runner.1"],
        ])
        #expect(event.flowRunID == nil)
        #expect(
            try read(["id": "e", "event": "x", "resource": ["prefect.resource.id": "prefect.flow-run."]]).flowRun == nil
        )
    }

    @Test("a selection requests future events by names and pools, without past events")
    func message() throws {
        let now = try #require(Timestamp("2026-01-01T00:00:00Z"))
        let message = EventSelection(pools: .ids(["p1", "p2"])).message(now: now)
        #expect(message["type"] == "filter")
        #expect(message["backfill"] == false)
        let filter = try #require(message["filter"])
        #expect(filter["event"] == ["name": ["prefect.flow-run.Scheduled", "prefect.flow-run.Cancelling"]])
        #expect(
            filter["any_resource"] == [
                "id": ["prefect.work-pool.p1", "prefect.work-pool.p2"],
                "labels": ["prefect.resource.role": ["work-pool"]],
            ])
        let until = try #require(filter["occurred"]?["until"]?.stringValue.flatMap { Timestamp($0) })
        #expect(until.seconds(since: now) > 9 * 365 * 86_400)
    }

    @Test("pools are also selected by names, even with characters that have a meaning in patterns")
    func namedPools() {
        let message = EventSelection(names: ["x"], pools: .named(["plain", "a*[b]?", "!no"])).message(now: .now)
        #expect(
            message["filter"]?["any_resource"] == [
                "labels": [
                    "prefect.resource.role": ["work-pool"], "prefect.resource.name": ["plain", "a??b]?", "?no"],
                ]
            ])
        #expect(EventSelection(pools: .any).message(now: .now)["filter"]?["any_resource"] == nil)
    }

    @Test("all events of one flow run are selected by its id")
    func oneRun() throws {
        let selection = EventSelection(flowRunID: "r1")
        let filter = selection.message(now: .now)["filter"]
        #expect(filter?["event"] == ["prefix": ["prefect.flow-run."]])
        #expect(filter?["resource"] == ["id": ["prefect.flow-run.r1"]])
        #expect(filter?["any_resource"] == nil)
        #expect(selection.includes(try read(Self.event("prefect.flow-run.Any", run: "r1"))))
        #expect(!selection.includes(try read(Self.event("prefect.flow-run.Any", run: "r2"))))
    }

    @Test("events that were not requested are not selected")
    func includes() throws {
        let event = try read(Self.event())
        let poolless = try read(Self.event(pool: nil))
        #expect(EventSelection(pools: .ids(["p0", "p1"])).includes(event))
        #expect(!EventSelection(pools: .ids(["p0"])).includes(event))
        #expect(!EventSelection(pools: .ids([])).includes(event))
        #expect(EventSelection(pools: .named(["pool"])).includes(event))
        #expect(!EventSelection(pools: .named(["p??l"])).includes(event))
        #expect(!EventSelection(names: ["y"], pools: .any).includes(event))
        #expect(EventSelection(pools: .any).includes(poolless))
        #expect(!EventSelection(pools: .ids(["p1"])).includes(poolless))
    }
}
