import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON
import Testing

@Suite struct RecordTests {
    private let id = "1f1937d8-80bd-45da-9f81-9e238228ff44"

    @Test func absentAndNullDiffer() {
        let untouched = WorkPoolUpdate { $0.description = "new" }
        #expect(untouched.jsonValue == ["description": "new"])
        let cleared = WorkPoolUpdate { $0.concurrencyLimit = nil }
        #expect(cleared.jsonValue == ["concurrency_limit": nil])
        #expect(cleared.concurrencyLimit == nil)
    }

    @Test func membersOfLaterServersSurvive() throws {
        let json: JSONValue = ["id": .string(id), "name": "etl", "mood": ["good"]]
        var flow = try Flow(jsonValue: json)
        flow.name = "elt"
        #expect(flow["mood"] == ["good"])
        #expect(flow.jsonValue == ["id": .string(id), "name": "elt", "mood": ["good"]])
        #expect(flow.tags == [])
        #expect(flow.created == nil)
    }

    @Test(
        arguments: [
            (["name": "etl"], "'id' is missing"),
            (["id": "x", "name": "etl"], "'id' should be a UUID"),
            (["id": nil, "name": "etl"], "'id' should be a UUID but is null"),
            (["id": "1f1937d8-80bd-45da-9f81-9e238228ff44", "name": 1], "'name' should be a string but is integer"),
        ] as [(JSONValue, String)])
    func requiredMembersAreChecked(json: JSONValue, text: String) {
        #expect { try Flow(jsonValue: json) } throws: { "\($0)" == text }
        #expect { try [Flow](jsonValue: [json]) } throws: {
            "\($0)" == text.replacing("'", with: "'[0].", maxReplacements: 1)
        }
    }

    @Test func gettersDoNotTrap() {
        var run = FlowRun(unchecked: [
            "name": 1, "run_count": .bigInteger("99999999999999999999"), "total_run_time": 1e300,
        ])
        #expect(run.id == UUID(uuidString: "00000000-0000-0000-0000-000000000000"))
        #expect(run.name == "")
        #expect(run.runCount == 0)
        #expect(run.totalRunTime == .zero)
        #expect(run.state == nil)
        run.totalRunTime = .milliseconds(1500)
        #expect(run["total_run_time"] == 1.5)
    }

    @Test func valuesAreWrittenAsTheAPIWritesThem() throws {
        let upper = try #require(UUID(uuidString: id.uppercased()))
        #expect(upper.jsonValue == .string(id))
        #expect(Timestamp(microseconds: 0).jsonValue == "1970-01-01T00:00:00Z")
        #expect(Duration.seconds(90.5).jsonValue == 90.5)
        #expect(Double.nan.jsonValue == .null)
        #expect(throws: JSONDecodingError.self) { try Duration(jsonValue: 1e300) }
        #expect(throws: JSONDecodingError.self) { try Int(jsonValue: 1.5) }
    }

    @Test func unknownWordsAndCasesAreKept() throws {
        let type = try StateType(jsonValue: "DREAMING")
        #expect(!type.isKnown && type.jsonValue == "DREAMING")
        let action = try AutomationAction(jsonValue: ["type": "sing", "song": "x"])
        #expect(action == .unknown(["type": "sing", "song": "x"]))
        #expect(try Schedule(jsonValue: ["cron": "* * * * *"]) == .cron(CronSchedule(cron: "* * * * *")))
    }

    @Test func constantsAreSent() {
        #expect(CancelFlowRunAction().jsonValue == ["type": "cancel-flow-run"])
        #expect(EventTrigger(posture: .reactive).jsonValue == ["type": "event", "posture": "Reactive"])
    }
}

@Suite struct FilterTests {
    @Test func conditionsAreWritten() {
        let filter = FlowRunFilter(
            match: .any, name: .like("etl"), tags: .all("a").or(.isNull()),
            state: FlowRunFilterState(type: .any(.failed, .crashed), name: .notAny("Late")),
            startTime: .after(Timestamp(microseconds: 0)).and(.before(Timestamp(microseconds: 1_000_000))))
        #expect(
            filter.jsonValue.isEquivalent(to: [
                "operator": "or_", "name": ["like_": "etl"],
                "tags": ["all_": ["a"], "is_null_": true, "operator": "or_"],
                "state": ["type": ["any_": ["FAILED", "CRASHED"]], "name": ["not_any_": ["Late"]]],
                "start_time": ["after_": "1970-01-01T00:00:00Z", "before_": "1970-01-01T00:00:01Z"],
            ]))
    }

    @Test(
        arguments: [
            ["state": ["type": ["any_": ["FAILED"], "not_any_": ["CRASHED"]]]], ["name": ["startswith_": ["e"]]],
        ] as [JSONValue])
    func conditionsThatTheServerIgnoresAreRefused(json: JSONValue) {
        #expect(throws: JSONDecodingError.self) { try FlowRunFilter(jsonValue: json) }
    }
}
