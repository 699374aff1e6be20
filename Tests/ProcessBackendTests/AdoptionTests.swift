import BackendKit
import BackendKitTesting
import Foundation
import PrefectJSON
import TestSupport
import Testing

@testable import ProcessBackend

struct AdoptionTests {
    /// Starts a process that is no child of this process, like one of an earlier worker, and returns its pid.
    private func orphan(_ bench: Workbench, _ script: String, flowRunID: String) async throws -> pid_t {
        _ = try await bench.run(
            bench.shell(
                "setsid sh -c \(shellQuoted("echo $$ > $T/pid; " + script)) & while [ ! -s $T/pid ]; do sleep 0.01; done",
                env: ["PREFECT__FLOW_RUN_ID": flowRunID]))
        return try #require(pid_t(bench.directory.read("pid")?.dropLast() ?? ""))
    }

    private func identifier(_ pid: pid_t, in directory: String = "/nonexistent") throws -> InfrastructureIdentifier {
        let facts = try #require(ProcessFacts(pid: pid))
        return ProcessHandle(
            pid: pid, startTime: facts.startTime, directory: directory, workingDirectory: nil, streamsOutput: true
        ).identifier
    }

    @Test("the identifier is the pid, and its handle survives a round trip through JSON")
    func roundTrip() throws {
        let identifier = try identifier(getpid())
        #expect(identifier.rawValue == String(getpid()))
        let copy = InfrastructureIdentifier(
            rawValue: identifier.rawValue, handle: try JSONValue(parsing: identifier.handle.serialized()))
        #expect(try ProcessHandle(copy) == ProcessHandle(identifier))
        #expect(try ProcessHandle(copy).locate(flowRunID: "").pid == getpid())
    }

    @Test("a process of an earlier worker is watched until its end")
    func watch() async throws {
        let bench = try Workbench()
        let job = try bench.shell("")
        let pid = try await orphan(
            bench, "while [ ! -e $T/go ]; do sleep 0.01; done; exit 7", flowRunID: job.run.flowRunID)
        let identifier = try identifier(pid)
        // The wait may begin after the end of the process. Without the adoption, the process could not be found then.
        await bench.backend.adopt(identifier, flowRunID: job.run.flowRunID, flowRunName: job.run.flowRunName)
        async let status = job.wait(for: identifier)
        _ = try bench.directory.write("go", "")
        // The exit code is known only where the kernel reports it to other processes than the parent.
        #expect(try await [nil, 7].contains(status.code))
        #expect(!isAlive(pid))
        #expect(try await job.wait(for: identifier).conclusion == nil)
    }

    @Test("a process of an earlier worker is stopped with its whole group")
    func stop() async throws {
        let bench = try Workbench()
        let job = try bench.shell("")
        let pid = try await orphan(
            bench, "trap '' TERM; sleep 1000 & while :; do sleep 1000; done", flowRunID: job.run.flowRunID)
        try await eventually("the child process is running") { processes(of: job.run.flowRunID).count >= 2 }
        try await job.stop(identifier(pid), grace: .milliseconds(50), reason: .cancelled)
        #expect(processes(of: job.run.flowRunID) == [])
    }

    @Test("a later worker resumes the copying of output where the earlier worker stopped")
    func output() async throws {
        let directory = try TemporaryDirectory()
        let (identifier, run, configuration) = try await leave(directory)
        let later = try Workbench(directory: directory)
        let job = ProcessWorkload(backend: later.backend, run: run, configuration: configuration)
        async let status = job.wait(for: identifier)
        _ = try directory.write("go", "")
        #expect(try await status.code == 5)
        #expect(try await status.lastOutput == "gone")
        try await eventually("the second line is copied") { later.output.text == "two\n" }
    }

    /// Runs a worker that ends while its run continues. A workload would keep that worker's backend.
    private func leave(_ directory: TemporaryDirectory) async throws -> (
        InfrastructureIdentifier, RunContext, ProcessConfiguration
    ) {
        let earlier = try Workbench(directory: directory)
        let job = try earlier.shell(
            "echo one; while [ ! -e $T/go ]; do sleep 0.01; done; echo two; echo gone >&2; exit 5")
        let identifier = try await job.start()
        try await eventually("the first line is copied") { earlier.output.text == "one\n" }
        // A line is printed before the position of the copying is recorded.
        #expect(await earlier.backend.flushOutput(within: .seconds(10)))
        return (identifier, job.run, job.configuration)
    }

    @Test("a reused pid is not mistaken for the run")
    func reusedNumber() async throws {
        let bench = try Workbench()
        let job = try bench.shell("")
        let own = try identifier(getpid())
        for (field, value, kind) in [
            ("start_time", .int(1), .notFound), ("boot_id", "other", .notFound),
            ("pid_namespace", "pid:[1]", .notFound),
        ] as [(String, JSONValue, InfrastructureError.Kind)] {
            var handle = own.handle
            handle[field] = value
            try await fails(bench, job, InfrastructureIdentifier(rawValue: own.rawValue, handle: handle), kind)
        }
        var elsewhere = own.handle
        elsewhere["boot_id"] = "other"
        elsewhere["host"] = "other-host"
        try await fails(bench, job, InfrastructureIdentifier(rawValue: own.rawValue, handle: elsewhere), .notReachable)
        try await fails(bench, job, InfrastructureIdentifier(rawValue: "ns:pod"), .notReachable)
        try await fails(bench, job, InfrastructureIdentifier(rawValue: "1"), .notReachable)
    }

    @Test("a pid without a handle is trusted only if the process runs this flow run")
    func barePID() async throws {
        let bench = try Workbench()
        let job = try bench.shell("")
        try await fails(bench, job, InfrastructureIdentifier(rawValue: String(getpid())), .notReachable)
        let pid = try await orphan(bench, "while :; do sleep 1000; done", flowRunID: job.run.flowRunID)
        let identifier = InfrastructureIdentifier(rawValue: String(pid))
        try await fails(bench, bench.shell(""), identifier, .notReachable)
        #expect(isAlive(pid))
        try await job.stop(identifier, grace: .seconds(5), reason: .cancelled)
        #expect(processes(of: job.run.flowRunID) == [])
    }

    private func fails(
        _ bench: Workbench, _ job: ProcessWorkload, _ identifier: InfrastructureIdentifier,
        _ kind: InfrastructureError.Kind, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let stopping = await #expect(throws: InfrastructureError.self, sourceLocation: sourceLocation) {
            try await job.stop(identifier, grace: .zero, reason: .shutdown)
        }
        #expect(stopping?.kind == kind, sourceLocation: sourceLocation)
        let waiting = await #expect(throws: InfrastructureError.self, sourceLocation: sourceLocation) {
            _ = try await job.wait(for: identifier)
        }
        #expect(waiting?.kind == kind, sourceLocation: sourceLocation)
    }

    @Test("the facts of a process are parsed correctly for any process name")
    func facts() {
        let line = "42 (a) b (c) S 7 41 40 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 123456 1 1\n"
        let facts = ProcessFacts(stat: Array(line.utf8))
        #expect(facts?.pid == 42 && facts?.parent == 7 && facts?.group == 41 && facts?.session == 40)
        #expect(facts?.startTime == 123456)
        #expect(ProcessFacts(stat: Array("42 (x".utf8)) == nil)
    }
}
