import BackendKit
import BackendKitTesting
import Foundation
import PrefectJSON
import TestSupport
import Testing

@testable import ProcessBackend

/// Tests of how hooks are run, with a stand-in for Python. ``EndToEndTests`` run hooks in a real Python.
struct HookTests {
    private let state: JSONValue = ["type": "CRASHED", "name": "Crashed"]

    private func bench(_ python: String, hookTimeLimit: Duration = .seconds(60)) throws -> Workbench {
        let directory = try TemporaryDirectory()
        return try Workbench(
            directory: directory, interpreter: try directory.write("stand-in", "#!/bin/sh\n" + python, mode: 0o755),
            hookTimeLimit: hookTimeLimit)
    }

    @Test("hooks run in the run's directory with its environment, and their output is copied like the run's")
    func place() async throws {
        let bench = try bench(
            "echo hooked; pwd > $T/place; echo $2 > $T/kind; cat $3 > $T/state; echo $A $PREFECT__CONTROL_TOKEN > $T/env\n"
        )
        let job = try bench.job("true", env: ["A": "1"], deploymentID: "d")
        let identifier = try await job.start()
        _ = try await job.wait(for: identifier)
        await job.runHooks(.crashed, state: state, of: identifier)
        let directory = identifier.handle["directory"]?.stringValue ?? ""
        #expect(bench.directory.read("place") == directory + "/work\n")
        #expect(bench.directory.read("kind") == "crashed\n")
        #expect(bench.directory.read("state") == state.serialized())
        #expect(bench.directory.read("env") == "1\n")
        #expect(bench.reporter.messages.isEmpty)
        try await eventually("the output is copied") { bench.output.text == "hooked\n" }
        await job.cleanUp(identifier)
        #expect(bench.runDirectories.isEmpty)
    }

    @Test("hooks that exceed the time limit are ended with all processes that they started")
    func deadline() async throws {
        let bench = try bench("trap '' TERM; sleep 1000 & sleep 1000\n", hookTimeLimit: .milliseconds(50))
        let job = try bench.job("true", deploymentID: "d")
        await job.runHooks(.cancellation, state: state, of: nil)
        #expect(processes(of: job.run.flowRunID) == [])
        #expect(bench.reporter.messages.map(\.level) == [.warning])
        #expect(bench.reporter.messages.first?.message.contains("longer") == true)
        #expect(bench.runDirectories.isEmpty)
    }

    @Test("hooks that cannot be run are reported with the reason")
    func failure() async throws {
        let bench = try bench("echo 'first' >&2; echo 'no such module' >&2; exit 1\n")
        try await bench.job("true", deploymentID: "d").runHooks(.crashed, state: state, of: nil)
        #expect(bench.reporter.messages.count == 1)
        #expect(bench.reporter.messages.first?.message.hasSuffix(": no such module") == true)
        #expect(bench.reporter.messages.first?.level == .warning)
    }

    @Test("hooks are skipped for a run without a deployment and for a worker without a Python")
    func skipped() async throws {
        let bench = try bench("touch $T/ran\n")
        try await bench.job("true").runHooks(.crashed, state: state, of: nil)
        let without = try Workbench(directory: bench.directory, interpreter: "none")
        try await without.job("true", deploymentID: "d").runHooks(.crashed, state: state, of: nil)
        #expect(bench.directory.read("ran") == nil)
        #expect(bench.reporter.messages.map(\.level) == [.debug])
        #expect(without.reporter.messages.map(\.level) == [.info])
    }

    @Test("hooks run with the Python in the job's own command")
    func ownPython() async throws {
        let bench = try bench("touch $T/wrong\n")
        let python = try bench.directory.write("python3.12", "#!/bin/sh\ntouch $T/right\n", mode: 0o755)
        try await bench.job("\(python) -m prefect.engine", deploymentID: "d").runHooks(.crashed, state: state, of: nil)
        #expect(bench.directory.read("right") != nil)
        #expect(bench.directory.read("wrong") == nil)
    }
}
