import BackendKit
import BackendKitTesting
import Foundation
import PrefectConcurrency
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import DockerBackend

@Suite("Recovery of containers")
struct EngineRecoveryTests {
    @Test("an Engine that does not answer is reported as unavailable, and requests are retried")
    func away() async throws {
        let isUnreachable = Mutex(true)
        try await withBackend { request in
            guard isUnreachable.withLock({ $0 }) else { return EngineBench.well(request) }
            return .drop
        } _: { bench in
            try await eventually("the Engine is reported as unavailable") {
                bench.backend.unavailableReason?.contains("is unreachable") == true
            }
            let lag = try #require(bench.backend.watchLag)
            #expect(lag > .zero)
            async let started = bench.job().start()
            isUnreachable.withLock { $0 = false }
            _ = try await started
            try await eventually("the Engine is reported as available again") { bench.backend.unavailableReason == nil }
            try await eventually("the Engine is watched again") { bench.backend.watchLag == .zero }
            #expect(bench.log.messages().count == 2)
        }
    }

    @Test("a container of another Engine is out of reach, and a missing container of this Engine has ended")
    func remains() async throws {
        try await withBackend { request in
            request.path.hasSuffix("/json") && request.path != "/containers/json"
                ? .message(404, "No such container") : EngineBench.well(request)
        } _: { bench in
            let job = try bench.job()
            let here = InfrastructureIdentifier(rawValue: "http+docker://localhost:\(EngineBench.id)")
            let there = InfrastructureIdentifier(rawValue: "http://other:2375:\(EngineBench.id)")
            #expect(try await job.recover(here) == .ended(here))
            #expect(try await job.recover(there) == .outOfReach)
            #expect(try await job.recover(nil) == .neverStarted)
            let status = try await job.wait(for: here)
            #expect(status.code == nil && status.reason?.contains("removed by somebody else") == true)
            let error = await #expect(throws: InfrastructureError.self) {
                try await job.wait(for: there)
            }
            #expect(error?.kind == .notReachable)
        }
    }

    @Test("a started container of an earlier process is resumed, and one that was never started is removed")
    func found() async throws {
        for (status, isRunning) in [("created", false), ("running", true), ("created", true)] {
            try await withBackend { request in
                switch (request.method, request.path) {
                case (_, "/containers/json"):
                    .json(200, [["Id": .string(EngineBench.id), "State": .string(status), "Labels": [:]]])
                case ("DELETE", _):
                    isRunning ? .message(409, "You cannot remove a running container") : .json(204, .null)
                default: EngineBench.well(request)
                }
            } _: { bench in
                let remains = try await bench.job().recover(nil)
                let identifier = InfrastructureIdentifier(rawValue: "http+docker://localhost:\(EngineBench.id)")
                #expect(remains == (isRunning ? .present(identifier) : .neverStarted))
            }
        }
    }

    @Test("a sweep removes only this worker's containers that never started, or ended and are marked for removal")
    func sweep() async throws {
        let owner = Mutex("")
        func container(_ id: String, _ state: String, created: Int, removed: Bool, run: String = "r") -> JSONValue {
            var labels: JSONValue = ["io.prefect.flow-run-id": .string(run)]
            if removed { labels["prefect-worker.remove-at-end"] = "true" }
            return ["Id": .string(id), "State": .string(state), "Created": .int(created), "Labels": labels]
        }
        let now = Timestamp.now.microseconds / 1_000_000
        let listed: [JSONValue] = [
            container("ended", "exited", created: now, removed: true),
            container("kept", "exited", created: now - 9999, removed: false),
            container("new", "created", created: now, removed: true),
            container("forgotten", "created", created: now - 700, removed: false),
            container("in-flight", "exited", created: now, removed: true, run: "held"),
            container("adopted", "exited", created: now, removed: true),
        ]
        try await withBackend { request in
            guard request.path == "/containers/json" else { return EngineBench.well(request) }
            owner.withLock { $0 = request.query }
            return .json(200, .array(listed))
        } _: { bench in
            await bench.backend.adopt(
                InfrastructureIdentifier(rawValue: "http+docker://localhost:adopted"), flowRunID: "a", flowRunName: "n")
            await bench.backend.removeOrphans(except: ["held"])
            let removed = bench.engine.calls.filter { $0.hasPrefix("DELETE") }
            #expect(removed == ["DELETE /containers/ended", "DELETE /containers/forgotten"])
            #expect(owner.withLock { $0 }.contains("prefect-worker.owner=\(bench.backend.owner)"))
        }
    }

    @Test("a container of the Python worker is stopped with the run's grace period")
    func stop() async throws {
        try await withBackend(EngineBench.well) { bench in
            try await bench.job().stop(
                InfrastructureIdentifier(rawValue: "http+docker://localhost:\(EngineBench.id)"), grace: .seconds(30),
                reason: .cancelled)
            let stop = try #require(bench.engine.requests.first { $0.path.hasSuffix("/stop") })
            #expect(stop.path == "/containers/\(EngineBench.id)/stop" && stop.query == "t=30")
        }
    }

    @Test("the owner mark of a worker's containers is kept in its state directory")
    func owner() throws {
        try withDirectory { directory in
            let mark = OwnerMark.take(in: directory, ofType: "docker")
            #expect(OwnerMark.take(in: directory, ofType: "docker") == mark)
            #expect(OwnerMark.take(in: nil, ofType: "docker") != mark)
        }
    }

    @Test("the printed position of the output is kept for each container, and other files are not touched")
    func outputMarks() throws {
        try withDirectory { directory in
            let marks = OutputMarks(stateDirectory: directory, ofType: "docker")
            let position = try #require(OutputPosition(text: "1 2 3"))
            for container in ["ab", "cd"] { marks.set(position, of: container) }
            #expect(OutputMarks(stateDirectory: directory, ofType: "docker").position(of: "ab") == position)
            marks.removeAll { $0 == "cd" }
            #expect(marks.position(of: "ab") == nil && marks.position(of: "cd") != nil)
            try Data().write(to: URL(filePath: "\(directory)/ledger"))
            marks.remove("../ledger")
            #expect(FileManager.default.fileExists(atPath: "\(directory)/ledger"))
            OutputMarks(stateDirectory: nil, ofType: "docker").set(position, of: "ab")
        }
    }

    @Test("output that was written when the worker shut down is not printed by the next worker, and no other is lost")
    func outputAtShutdown() async throws {
        let time = "2026-11-21T10:00:00.000000001Z"
        let records =
            DecoderTests.frame(1, "\(time) one\n") + DecoderTests.frame(2, "2026-11-21T10:00:01Z two\n")
        try await withTemporaryDirectory { directory in
            let marks = OutputMarks(stateDirectory: directory, ofType: "docker")
            try await withBackend { request in
                request.path.hasSuffix("/logs") ? .open(records) : EngineBench.well(request)
            } _: { bench in
                let follower = LogFollower(
                    engine: bench.backend.engine, availability: bench.backend.availability,
                    hasEnded: ObservedValue(false),
                    output: OutputPrinter(sink: CancellingSink(accepts: 1)),
                    errors: OutputPrinter(sink: CancellingSink(accepts: 0)),
                    container: EngineBench.id, containerName: "brave-otter", flowRunID: "run-1",
                    flowRunName: "brave-otter", hasTTY: false, mark: marks.mark(of: EngineBench.id),
                    start: OutputPosition())
                await withTaskGroup { group in
                    group.addTask { await follower.run(reportingTo: bench.reporter) }
                }
            }
            var printed = OutputPosition()
            let isNew = printed.admits(OutputTime(time))
            #expect(isNew)
            #expect(marks.position(of: EngineBench.id) == printed)
        }
    }

    @Test("a server that is no Engine, or has an unsupported version, is refused")
    func versions() {
        #expect(throws: EngineError.self) { try EngineVersion(["version": "1"]) }
        #expect(throws: EngineError.self) { try EngineVersion(["ApiVersion": "9.0", "MinAPIVersion": "8.0"]) }
        let version = try? EngineVersion(["ApiVersion": "1.52", "MinAPIVersion": "1.44", "Version": "29.0.0"])
        #expect(version?.api == "1.47" && version?.knowsHostGateway == true)
        #expect((try? EngineVersion(["ApiVersion": "1.40", "Version": "19.03.1"]))?.knowsHostGateway == false)
    }

    @Test("a log that breaks off is resumed at its last line, without repeated lines")
    func logResumes() async throws {
        func frame(_ text: String) -> [UInt8] { [1, 0, 0, 0, 0, 0, 0, UInt8(text.utf8.count)] + Array(text.utf8) }
        let one = frame("2026-01-01T00:00:01.000000001Z one\n")
        let two = frame("2026-01-01T00:00:02.000000002Z two\n")
        let three = frame("2026-01-01T00:00:03.000000003Z three\n")
        let hasEnded = Mutex(false)
        try await withBackend { request in
            switch request.path {
            case "/containers/\(EngineBench.id)/json" where !hasEnded.withLock({ $0 }):
                return EngineBench.inspection("running")
            case "/containers/\(EngineBench.id)/logs" where request.query.contains("follow"):
                // The first answer breaks off, and the second begins with its last line.
                return request.query.contains("since=1767225602.000000002")
                    ? .open(two + three) : .cut(one + two + three.prefix(12))
            case "/events": return .open([])
            default: return EngineBench.well(request)
            }
        } _: { bench in
            let job = try bench.job()
            let identifier = try await job.start()
            await withTaskGroup(of: Void.self) { group in
                group.addTask { _ = try? await job.wait(for: identifier) }
                try? await eventually("all lines are printed") { bench.sink.text.contains("three") }
                group.cancelAll()
            }
            #expect(bench.sink.text == "one\ntwo\nthree\n")
        }
    }

    @Test(
        "the last output of a container is printed, even if the Engine ends the log stream too early",
        arguments: [[], ["first\n"], ["first\n", "second\n"]])
    func lastWords(before: [String]) async throws {
        @Sendable func frame(_ text: String, second: Int) -> [UInt8] {
            let line = Array("2026-01-01T00:00:0\(second).000000000Z \(text)".utf8)
            return [1, 0, 0, 0, 0, 0, 0, UInt8(line.count)] + line
        }
        let early = before.enumerated().flatMap { frame($0.element, second: $0.offset) }
        let readings = Mutex(0)
        try await withBackend { request in
            guard request.path == "/containers/\(EngineBench.id)/logs", request.query.contains("follow") else {
                return EngineBench.well(request)
            }
            let isFirst = readings.withLock { count in
                count += 1
                return count == 1
            }
            return .bytes(isFirst ? early : early + frame("last-word", second: 9))
        } _: { bench in
            let job = try bench.job()
            let identifier = try await job.start()
            #expect(try await job.wait(for: identifier).code == 3)
            #expect(bench.sink.text == before.joined() + "last-word")
            #expect(readings.withLock { $0 } == 3)
        }
    }

    @Test("events are requested without a label, because Podman finds no events by a label's name alone")
    func podmanEvents() async throws {
        let queries = Mutex<[String]>([])
        try await withBackend { request in
            if request.path == "/events" { queries.withLock { $0.append(request.query) } }
            return EngineBench.well(request)
        } _: { bench in
            let job = try bench.job()
            let identifier = try await job.start()
            #expect(try await job.wait(for: identifier).code == 3)
        }
        let asked = queries.withLock { $0 }
        #expect(!asked.isEmpty && asked.allSatisfy { $0.contains("die") && !$0.contains("label") })
    }
}

/// A sink that cancels the task that writes to it, after it has accepted a number of portions.
private final class CancellingSink: OutputSink {
    private let left: Mutex<Int>

    init(accepts count: Int) { left = Mutex(count) }

    func write(_ bytes: ArraySlice<UInt8>, of source: OutputSource, waitingUpTo limit: Duration) -> Int? {
        withUnsafeCurrentTask { $0?.cancel() }
        return left.withLock { left in
            left -= 1
            return left < 0 ? 0 : bytes.count
        }
    }
}
