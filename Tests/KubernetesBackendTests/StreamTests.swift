import HTTPTransport
import OrderedCollections
import PrefectJSON
import PrefectREST
import TestSupport
import Testing

@testable import KubernetesBackend

@Suite("Answers of the API server")
struct StreamTests {
    private static func items(_ text: String, portions: [Int]) throws -> ([JSONValue], ItemScanner) {
        var scanner = ItemScanner()
        var items: [JSONValue] = []
        var rest = Array(text.utf8)[...]
        var sizes = portions.makeIterator()
        while !rest.isEmpty {
            let size = sizes.next() ?? rest.count
            try scanner.scan(rest.prefix(size)) { items.append(try JSONValue(parsing: $0)) }
            rest = rest.dropFirst(size)
        }
        return (items, scanner)
    }

    @Test("a list is split into its items, for any content and any division into portions")
    func scanner() throws {
        let text = #"""
            {"kind": "JobList", "metadata": {"resourceVersion": "7", "continue": "c", "items": [1, {"a": 2}]},
             "items": [{"a": "x\"]}{[", "items": [{"b": {}}]}, {}, {"c": [[], "\\"]}], "after": {"items": [3]}}
            """#
        for size in [1, 2, 3, 7, 1000] {
            let (items, scanner) = try Self.items(text, portions: Array(repeating: size, count: 500))
            #expect(items == [["a": "x\"]}{[", "items": [["b": [:]]]], [:], ["c": [[], "\\"]]])
            let envelope = try JSONValue(parsing: scanner.envelope)
            #expect(envelope["metadata"]?["continue"] == "c")
            #expect(envelope["metadata"]?["items"] == [1, ["a": 2]])
            #expect(envelope["items"] == [])
            #expect(envelope["after"]?["items"] == [3])
            #expect(scanner.isComplete)
        }
        let (none, status) = try Self.items(#"{"kind": "Status", "items": null}"#, portions: [])
        #expect(none.isEmpty && status.isComplete)
        #expect(try !Self.items(#"{"items": [{"a": 1}"#, portions: []).1.isComplete)
        #expect(throws: ItemScanner.Problem.self) { try Self.items("]", portions: []) }
    }

    @Test("random lists are split into the same items as by the JSON parser, and damaged lists cause no crash")
    func scannerFuzz() async throws {
        try await Fuzz.run(mostCases: 3000) { random in
            let items = (0..<random.below(5)).map { _ in JSONValue.object(["v": random.json(3)]) }
            let list: JSONValue = [
                "a": random.json(2), "items": .array(items), "metadata": ["resourceVersion": "1", "x": random.json(3)],
            ]
            let text = list.serialized(random.oneIn(2) ? .compact : .pretty)
            let portions = (0..<text.utf8.count).map { _ in 1 + random.below(40) }
            let (found, scanner) = try Self.items(text, portions: portions)
            let parsed = try JSONValue(parsing: text)
            try Fuzz.require(found == parsed["items"]?.arrayValue ?? [], "other items in \(text)")
            let envelope = try JSONValue(parsing: scanner.envelope)
            try Fuzz.require(envelope["a"] == parsed["a"], "another envelope of \(text)")
            // A damaged list may only be refused or cut short.
            var broken = Array(text.utf8)
            for _ in 0..<1 + random.below(4) { broken[random.below(broken.count)] = UInt8(random.below(256)) }
            var survivor = ItemScanner()
            try? survivor.scan(broken) { _ in }
        }
    }

    private static func events(_ bytes: [UInt8], portion: Int) throws -> [WatchEvent] {
        var decoder = WatchDecoder(operation: "GET /x")
        var events: [WatchEvent] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            try decoder.decode(Array(rest.prefix(portion))) { events.append($0) }
            rest = rest.dropFirst(portion)
        }
        return events
    }

    @Test("each line of a watch is an event, including bookmarks and errors")
    func watch() throws {
        let lines = """
            {"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"1"}}}
            {"type":"MODIFIED","object":{"metadata":{"name":"a","resourceVersion":"2"}}}\r

            {"type":"NEWKIND","object":{}}
            {"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}
            {"type":"DELETED","object":{"metadata":{"name":"a","resourceVersion":"10"}}}
            {"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"}}

            """
        for portion in [1, 5, 10_000] {
            let events = try Self.events(Array(lines.utf8), portion: portion)
            #expect(events.map(\.version) == ["1", "2", "9", "10", nil])
            guard case .failed(let error)? = events.last else {
                Issue.record("no error")
                return
            }
            #expect(error.kind == .expired)
            #expect(error.detail == "too old resource version")
        }
        for broken in ["{\n", "7\n", "{\"type\":\"ADDED\"}\n", "{\"type\":\"ADDED\",\"object\":7}\n"] {
            #expect(throws: KubernetesError.self) { try Self.events(Array(broken.utf8), portion: 100) }
        }
    }

    @Test("an event of a watch that is too large is refused", arguments: [1 << 20, .max])
    func largeEvent(portion: Int) throws {
        let event = #"{"type":"ADDED","object":{"a":""# + String(repeating: "x", count: WatchDecoder.largestEvent)
        #expect(throws: KubernetesError.self) { try Self.events(Array("\(event)\"}}\n".utf8), portion: portion) }
    }

    @Test("watch events with objects of any shape cause no crash")
    func watchFuzz() async throws {
        try await Fuzz.run(mostCases: 3000) { random in
            var object = random.json(0)
            if random.oneIn(2) {
                object = [
                    "metadata": [
                        "name": "a", "namespace": "n", "uid": "u", "labels": random.json(3),
                        "ownerReferences": [["kind": "Job", "name": "j", "uid": "x"], random.json(4)],
                        "creationTimestamp": random.json(5), "deletionTimestamp": random.json(5),
                    ],
                    "spec": random.json(3),
                    "status": [
                        "conditions": random.oneIn(2)
                            ? random.json(3) : [["type": "Failed", "status": "True", "reason": random.json(5)]],
                        "containerStatuses": random.oneIn(2)
                            ? random.json(3)
                            : [
                                [
                                    "name": random.json(5), "restartCount": random.json(5),
                                    "state": ["terminated": random.json(4)],
                                ]
                            ],
                        "phase": random.json(5),
                    ],
                ]
            }
            let line = JSONValue.object(["type": .string(random.oneIn(2) ? "ADDED" : "ERROR"), "object": object])
                .serialized()
            for event in (try? Self.events(Array((line + "\n").utf8), portion: 1 + random.below(60))) ?? [] {
                guard case .added(let object) = event else { continue }
                _ = JobSnapshot(object)
                _ = EventFact(object)
                if let pod = PodSnapshot(object) { _ = PodEvent(pod, diagnosis: Diagnosis(pod)) }
            }
            var broken = Array(line.utf8)
            broken[random.below(broken.count)] = UInt8(random.below(256))
            _ = try? Self.events(broken + [10], portion: 50)
        }
    }

    @Test("pods with arbitrary numbers cause no crash, and the pause of a refusal is at most an hour")
    func numbersFuzz() async throws {
        let pod: JSONValue = [
            "metadata": ["name": "p", "namespace": "n", "uid": "u", "creationTimestamp": "2026-11-21T10:00:00Z"],
            "status": [
                "phase": "Failed",
                "containerStatuses": [
                    ["name": "a", "restartCount": 3, "state": ["terminated": ["exitCode": 1, "reason": "Error"]]],
                    ["name": "b", "restartCount": 9_223_372_036_854_775_807, "state": ["running": [:]]],
                ],
            ],
        ]
        let refusal: JSONValue = ["kind": "Status", "code": 429, "details": ["retryAfterSeconds": 3]]
        try await Fuzz.run(mostCases: 4000) { random in
            if let json = try? JSONValue(parsing: random.spoiled(pod)), let pod = PodSnapshot(json) {
                _ = PodEvent(pod, diagnosis: Diagnosis(pod))
            }
            let error = KubernetesError(
                RESTAnswer(
                    operation: "create job",
                    head: HTTPResponse.Head(
                        status: 429,
                        headers: random.oneIn(2) ? [:] : ["Retry-After": random.text(of: FuzzRandom.trouble, upTo: 1)]),
                    body: Array(random.spoiled(refusal).utf8)))
            let pause = error.retryAfter ?? .zero
            try Fuzz.require(pause >= .zero && pause <= .seconds(3600), "\(pause)")
        }
    }

    @Test("a log that is read twice gives its lines once each, without their times")
    func logs() {
        var lines = LogLines()
        var seen: [String] = []
        func take(_ text: String, portion: Int = 1000) {
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                lines.take(Array(rest.prefix(portion))) { line, _ in seen.append(String(decoding: line, as: UTF8.self))
                }
                rest = rest.dropFirst(portion)
            }
        }
        take(
            "2026-01-01T00:00:00.5Z one\n2026-01-01T00:00:00.50000001Z two words\n2026-01-01T00:00:01Z thr", portion: 7)
        #expect(seen == ["one\n", "two words\n"])
        lines.resume()
        #expect(lines.since == Timestamp("2026-01-01T00:00:00.5Z"))
        take(
            "2026-01-01T00:00:00.5Z one\n2026-01-01T00:00:00.50000001Z two words\n2026-01-01T00:00:00.50000001Z of the same time\n"
                + "2026-01-01T00:00:01Z three\n2026-01-01T00:00:02Z"
        )
        #expect(seen == ["one\n", "two words\n", "of the same time\n", "three\n"])
        take(" \nno time here\n2026-01-01T00:00:03Z end")
        lines.finish { line, _ in seen.append(String(decoding: line, as: UTF8.self)) }
        #expect(seen.suffix(3) == ["\n", "no time here\n", "end"])
    }

    @Test("an error has the refused fields and the time to wait")
    func errors() {
        let body: JSONValue = [
            "kind": "Status", "reason": "Invalid", "message": "Job.batch \"x\" is invalid",
            "details": [
                "causes": [["field": "spec.template.spec.containers[0].image", "message": "Required value"]],
                "retryAfterSeconds": 3,
            ],
        ]
        let error = KubernetesError(
            RESTAnswer(operation: "POST /jobs", head: HTTPResponse.Head(status: 422), body: body.serializedBytes()))
        #expect(error.kind == .refused)
        #expect(!error.isTransient)
        #expect(error.retryAfter == .seconds(3))
        #expect(error.causes == [.init(field: "spec.template.spec.containers[0].image", message: "Required value")])
        let busy = KubernetesError(
            RESTAnswer(
                operation: "GET /jobs", head: HTTPResponse.Head(status: 429, headers: ["Retry-After": "7"]),
                body: Array("slow down".utf8)))
        #expect(busy.isTransient)
        #expect(busy.retryAfter == .seconds(7))
        #expect(busy.detail == "slow down")
    }

    @Test("names are escaped in the paths of requests")
    func paths() {
        #expect(Resource.jobs.path(namespace: "a/b", name: "..") == "/apis/batch/v1/namespaces/a%2Fb/jobs/%2E%2E")
        #expect(
            Resource.pods.path(namespace: "n", name: "p q", subresource: "log") == "/api/v1/namespaces/n/pods/p%20q/log"
        )
    }
}

extension KubernetesError {
    /// The error for an unsuccessful answer.
    init(_ answer: RESTAnswer) {
        self.init(RequestFailure(answer, reason: Self.reason(of: answer)))
    }
}
