import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

@testable import PrefectClient

@Suite("Fuzzed answers of the API", .timeLimit(.minutes(Fuzz.minutes)))
struct AnswerFuzzTests {
    private static let state: JSONValue = [
        "id": "01a1fcdf-7600-7ff8-b786-fadedde27990", "type": "SCHEDULED", "name": "Scheduled",
        "timestamp": "2026-11-21T06:51:05.681867Z", "message": nil,
        "state_details": ["transition_id": "t", "scheduled_time": "2026-11-21T06:51:05Z", "retriable": nil],
    ]

    private static let run: JSONValue = [
        "id": "r", "name": "red-fox", "flow_id": "f", "deployment_id": "d", "work_queue_name": "default",
        "work_queue_id": "q", "run_count": 0, "expected_start_time": "2026-11-21T06:51:05Z", "total_run_time": 0.0,
        "estimated_start_time_delta": -1.5, "job_variables": ["env": ["A": "b"], "cpu": 1.5], "parameters": ["n": 3],
        "tags": ["a"], "labels": ["l": 1], "state": state, "infrastructure_pid": nil, "auto_scheduled": true,
    ]

    private static let answers: [JSONValue] = [
        run, ChannelFrames.pool, ["state": state, "status": "WAIT", "details": ["delay_seconds": 7]],
        ["state": state, "status": "REJECT", "details": ["reason": "no"]], ReceivedEventTests.event(),
        ChannelFrames.ready, ChannelFrames.heartbeat,
        ["token": "t", "expiration": "2026-11-21T06:51:05Z", "client": "c"],
        ["id": "d", "name": "daily", "flow_id": "f", "path": "/x", "job_variables": ["a": 1], "entrypoint": "a:b"],
        ["id": "q", "name": "default", "priority": 1, "concurrency_limit": 3, "is_paused": false],
    ]

    @Test("a damaged answer gives usable numbers or a one-line error", arguments: answers.indices)
    func decoders(index: Int) async throws {
        let answer = Self.answers[index]
        try await Fuzz.run(mostCases: 1500) { random in
            let text = random.spoiled(answer)
            do {
                let value = try JSONValue(parsing: text)
                try Self.checkNumbers(value)
                let fields = try JSONFields(value)
                if let run = try? FlowRun(jsonValue: value) {
                    _ = (run.expectedStartTime?.seconds(since: .now), run.jsonValue.serialized(), run.labels, run.state)
                }
                if let pool = try? WorkPool(jsonValue: value) { _ = pool.concurrencyLimit.map { max(0, $0) } }
                _ = try? WorkQueue(jsonValue: value).priority
                _ = try? Deployment(jsonValue: value).schedules
                _ = try? Flow(jsonValue: value).tags
                _ = try? State(jsonValue: value).stateDetails.scheduledTime
                _ = try? ReceivedEvent(hint: value).workPool
                _ = try? CleanupMessage(json: fields)
                let seconds = value["details"]?["delay_seconds"]?.doubleValue ?? 1
                let pause = Duration.pause(seconds: seconds, in: 0.1...3600)
                try Fuzz.require((Duration.milliseconds(100)...Duration.seconds(3600)).contains(pause), "\(pause)")
                _ = ContinuousClock.now + pause
            } catch let error as JSONError {
                try Fuzz.require(!error.description.contains("\n"), "\(error) has two lines")
            } catch is JSONDecodingError {
                return
            }
        }
    }

    @Test("a ready frame with any numbers gives a valid heartbeat pause or is refused")
    func frames() async throws {
        try await Fuzz.run(mostCases: 3000) { random in
            let text = random.spoiled(random.oneIn(2) ? ChannelFrames.ready : ChannelFrames.heartbeat)
            guard let value = try? JSONValue(parsing: text), let payload = value["payload"],
                let fields = try? JSONFields(payload), let ready = try? ChannelReady(json: fields)
            else { return }
            let pause = Duration.pause(seconds: Double(ready.heartbeatIntervalSeconds) * 0.9)
            try Fuzz.require(pause > .zero && pause <= .seconds(Duration.longestPause), "\(pause)")
        }
    }

    @Test("any number of seconds becomes a duration within its range")
    func pauses() async throws {
        try await Fuzz.run(mostCases: 20_000) { random in
            let seconds =
                random.oneIn(4)
                ? random.pick([.nan, .infinity, -.infinity, 1e300, -1e300, 1e19, 1e13, -1e13, .leastNonzeroMagnitude])
                : Double(bitPattern: random.next())
            let pause = Duration.pause(seconds: seconds)
            try Fuzz.require(pause >= .zero && pause <= .seconds(1e9), "\(seconds) is \(pause)")
            if let checked = Duration(checkedSeconds: seconds) {
                try Fuzz.require((checked + checked) - checked == checked, "\(seconds)")
            }
            _ = Duration(secondsText: "\(seconds)", in: 0...1e9)
        }
    }

    private static func checkNumbers(_ value: JSONValue) throws {
        switch value {
        case .double(let number): try Fuzz.require(number.isFinite, "\(number) is no number of JSON")
        case .array(let elements): for element in elements { try checkNumbers(element) }
        case .object(let members): for member in members.values { try checkNumbers(member) }
        default: _ = (value.intValue, value.doubleValue)
        }
    }
}
