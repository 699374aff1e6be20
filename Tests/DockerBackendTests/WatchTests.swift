import PrefectJSON
import TestSupport
import Testing

@testable import DockerBackend

@Suite("The history of a container")
struct ContainerProgressTests {
    private static func event(_ action: String, code: Int? = nil) throws -> ContainerEvent {
        var json: JSONValue = ["Action": .string(action), "Actor": ["ID": "a", "Attributes": [:]]]
        if let code { json["Actor"] = ["ID": "a", "Attributes": ["exitCode": .string(String(code))]] }
        return try #require(ContainerEvent(json))
    }

    @Test("each status is reported once, and none before the container has been inspected")
    func statuses() throws {
        var progress = ContainerProgress()
        #expect(try progress.note(Self.event("start")) == nil)
        #expect(try progress.note(facts("a", "running")) == "running")
        #expect(try progress.note(Self.event("start")) == nil)
        #expect(try progress.note(Self.event("pause")) == "paused")
        #expect(try progress.note(Self.event("unpause")) == "running")
        #expect(try progress.note(facts("a", "exited", code: 7)) == "exited")
        #expect(try progress.end(facts("a", "exited", code: 7)) == ContainerEnd(exitCode: 7))
    }

    @Test("a container that ran out of memory is known from an event or an inspection")
    func memory() throws {
        var progress = ContainerProgress()
        let inspected = try facts("a", "exited", code: 137, oom: true)
        #expect(progress.end(inspected) == ContainerEnd(exitCode: 137, wasOutOfMemory: true))
        _ = try progress.note(Self.event("oom"))
        #expect(
            try progress.end(facts("a", "exited", code: 137)) == ContainerEnd(exitCode: 137, wasOutOfMemory: true))
    }

    @Test("a removed container has ended, with the exit code of its die event or without one")
    func removed() throws {
        for code in [nil, 137] as [Int?] {
            var progress = ContainerProgress()
            if let code { _ = try progress.note(Self.event("die", code: code)) }
            #expect(progress.end(nil) == ContainerEnd(exitCode: code, wasRemoved: true))
        }
    }

    @Test("the events of an end lead to an inspection, and others do not")
    func ends() throws {
        for action in ["die", "died", "destroy", "remove"] { #expect(try Self.event(action).mayBeEnd) }
        for action in ["start", "pause", "oom", "exec_start"] { #expect(try !Self.event(action).mayBeEnd) }
    }
}
