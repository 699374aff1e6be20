import JSON
import TestSupport
import Testing

@testable import DockerBackend

@Suite("Watching containers")
struct WatchTests {
    private static func event(_ id: String, _ action: String, code: Int? = nil) throws -> ContainerWatch.Input {
        var json: JSONValue = ["Action": .string(action), "Actor": ["ID": .string(id), "Attributes": [:]]]
        if let code { json["Actor"] = ["ID": .string(id), "Attributes": ["exitCode": .string(String(code))]] }
        return .happened(try #require(ContainerEvent(json)))
    }

    @Test("a container that ends is inspected, and the inspection gives its exit code")
    func end() throws {
        var watch = ContainerWatch()
        #expect(watch.handle(.watched("a")) == [])
        #expect(watch.handle(.connected) == [.inspect("a")])
        let running = try facts("a", "running")
        #expect(watch.handle(.inspected("a", running)) == [.tell("a", status: "running", running)])
        #expect(watch.handle(try Self.event("a", "die", code: 7)) == [.inspect("a")])
        let exited = try facts("a", "exited", code: 7)
        #expect(
            watch.handle(.inspected("a", exited))
                == [.tell("a", status: "exited", exited), .end("a", ContainerEnd(exitCode: 7))])
        #expect(watch.count == 0)
    }

    @Test("changes during a disconnection are found by an inspection of each container")
    func gap() throws {
        var watch = ContainerWatch()
        _ = watch.handle(.connected)
        for id in ["a", "b"] {
            #expect(watch.handle(.watched(id)) == [.inspect(id)])
            _ = watch.handle(.inspected(id, try facts(id, "running")))
        }
        #expect(watch.handle(.disconnected) == [])
        // An Engine that does not answer gives no information about its containers.
        #expect(watch.handle(.inspectionFailed("a")) == [])
        #expect(watch.count == 2)
        #expect(watch.handle(.connected) == [.inspect("a"), .inspect("b")])
        let ended = try facts("a", "exited", code: 137, oom: true)
        #expect(
            watch.handle(.inspected("a", ended)).last
                == .end("a", ContainerEnd(exitCode: 137, wasOutOfMemory: true)))
        #expect(watch.handle(.inspected("b", try facts("b", "running"))) == [])
    }

    @Test("an event during an inspection leads to another inspection")
    func race() throws {
        var watch = ContainerWatch()
        _ = watch.handle(.connected)
        #expect(watch.handle(.watched("a")) == [.inspect("a")])
        #expect(watch.handle(try Self.event("a", "die", code: 0)) == [])
        #expect(watch.handle(.inspected("a", try facts("a", "running"))).contains(.inspect("a")))
    }

    @Test("a removed container has ended, with the exit code of its die event or without one")
    func removed() throws {
        for code in [nil, 137] as [Int?] {
            var watch = ContainerWatch()
            _ = watch.handle(.connected)
            _ = watch.handle(.watched("a"))
            _ = watch.handle(.inspected("a", try facts("a", "running")))
            if let code {
                #expect(watch.handle(try Self.event("a", "die", code: code)) == [.inspect("a")])
            } else {
                #expect(watch.handle(try Self.event("a", "destroy")) == [.inspect("a")])
            }
            #expect(watch.handle(.inspected("a", nil)) == [.end("a", ContainerEnd(exitCode: code, wasRemoved: true))])
        }
    }

    @Test("an inspection that fails while the Engine is connected is repeated")
    func again() {
        var watch = ContainerWatch()
        _ = watch.handle(.connected)
        _ = watch.handle(.watched("a"))
        #expect(watch.handle(.inspectionFailed("a")) == [.inspectLater("a")])
        #expect(watch.handle(.watched("a")) == [.inspect("a")])
        #expect(watch.handle(.forgotten("a")) == [])
        #expect(watch.handle(.inspectionFailed("a")) == [])
    }

    @Test("in any order of inputs, an end is reported at most once, and nothing is reported afterwards")
    func anyOrder() async throws {
        try await Fuzz.run(mostCases: 20_000) { random in
            var watch = ContainerWatch()
            var hasEnded = false
            var pending = 0
            _ = watch.handle(.watched("a"))
            for _ in 0..<30 {
                let actions: [ContainerWatch.Action]
                switch random.below(6) {
                case 0: actions = watch.handle(.connected)
                case 1: actions = watch.handle(.disconnected)
                case 2:
                    actions = watch.handle(
                        try Self.event("a", random.pick(["start", "pause", "unpause", "oom", "die", "destroy", "x"])))
                case 3 where pending > 0:
                    pending -= 1
                    actions = watch.handle(.inspectionFailed("a"))
                case 4 where pending > 0:
                    pending -= 1
                    let status = random.pick(["running", "created", "exited", "dead", "removing", "paused"])
                    actions = watch.handle(.inspected("a", random.oneIn(4) ? nil : try facts("a", status)))
                default: actions = watch.handle(.watched("b"))
                }
                for action in actions {
                    switch action {
                    case .inspect("a"): pending += 1
                    case .end("a", _):
                        guard !hasEnded else { throw WaitTimeout(what: "one end", timeout: .zero, detail: "two") }
                        hasEnded = true
                    case .tell("a", _, _) where hasEnded:
                        throw WaitTimeout(what: "silence after the end", timeout: .zero, detail: "\(action)")
                    default: break
                    }
                }
                // Only one inspection runs at a time, so that an older one cannot overtake a newer one.
                guard pending <= 1 else { throw WaitTimeout(what: "one inspection", timeout: .zero, detail: "two") }
            }
        }
    }
}
