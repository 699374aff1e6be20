import BackendKit
import BackendKitTesting
import Foundation
import PrefectJSON
import TestSupport
import Testing

@testable import ProcessBackend

@Suite("Recovery of runs of earlier workers")
struct RecoveryTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func worker() throws -> Workbench { try Workbench(directory: directory, ownsRunDirectories: true) }

    /// A private directory of a worker that died before it started the run's process.
    private func abandon(_ flowRunID: String, by maker: String = "other") throws -> RunDirectory {
        try RunDirectory.created(under: directory.file("runs"), flowRunID: flowRunID, maker: maker)
    }

    @Test("a process whose worker died before it recorded the pid is found by its mark and environment")
    func found() async throws {
        let earlier = try worker()
        let job = try earlier.shell("while [ ! -e $T/go ]; do sleep 0.01; done; echo the end")
        let identifier = try await job.on(earlier.backend).start()
        let later = try worker()
        let remains = try await job.on(later.backend).recover(nil)
        #expect(remains == .present(identifier))
        async let status = job.on(later.backend).wait(for: identifier)
        _ = try directory.write("go", "")
        _ = try await status
        try await eventually("the output of the run is copied") { later.output.text.contains("the end") }
        await job.on(later.backend).cleanUp(identifier)
        #expect(later.runDirectories.isEmpty)
    }

    @Test("a process that began and ended unwatched is reported as ended")
    func ended() async throws {
        let earlier = try worker()
        let job = try earlier.shell("exit 0")
        _ = try await earlier.run(job)
        #expect(!earlier.runDirectories.isEmpty)
        let later = try worker()
        guard case .ended(let identifier) = try await job.on(later.backend).recover(nil) else {
            Issue.record("it is not known to have ended")
            return
        }
        await job.on(later.backend).cleanUp(identifier)
        #expect(later.runDirectories.isEmpty)
    }

    @Test("a run without a process is reported as never started, and its process can no longer start")
    func neverStarted() async throws {
        let job = try worker().shell("")
        let directory = try abandon(job.run.flowRunID)
        let later = try worker()
        #expect(try await job.on(later.backend).recover(nil) == .neverStarted)
        #expect(later.runDirectories.isEmpty)
        // A child of the dead worker that is only now about to become the run's process cannot create its mark.
        let request = Launcher.Request(
            executable: "/bin/sh", arguments: ["sh", "-c", "echo >\(self.directory.file("ran"))"], environment: [:],
            directory: "/", mark: directory.started)
        #expect(throws: InfrastructureError.self) { _ = try Launcher.spawn(request) }
        #expect(self.directory.read("ran") == nil)
    }

    @Test("the directory of another run is not mistaken for the run's own")
    func others() async throws {
        let job = try worker().shell("")
        let other = try abandon("\(job.run.flowRunID)0")
        #expect(try await job.on(worker().backend).recover(nil) == .neverStarted)
        #expect(other.exists)
    }

    @Test("an identifier resolves to a running process, an ended process or one out of reach")
    func identified() async throws {
        let earlier = try worker()
        let job = try earlier.shell("while [ ! -e $T/go ]; do sleep 0.01; done")
        let identifier = try await job.on(earlier.backend).start()
        let later = try worker()
        #expect(try await job.on(later.backend).recover(identifier) == .present(identifier))
        var elsewhere = identifier.handle
        elsewhere["boot_id"] = "other"
        elsewhere["host"] = "other"
        let far = InfrastructureIdentifier(rawValue: identifier.rawValue, handle: elsewhere)
        #expect(try await job.on(later.backend).recover(far) == .outOfReach)
        _ = try directory.write("go", "")
        _ = try await job.on(earlier.backend).wait(for: identifier)
        #expect(try await job.on(worker().backend).recover(identifier) == .ended(identifier))
    }

    @Test("the end of an adopted process is observed before its run is recovered")
    func adopted() async throws {
        let earlier = try worker()
        let job = try earlier.shell("while [ ! -e $T/go ]; do sleep 0.01; done; echo the end; echo last >&2")
        let identifier = try await job.on(earlier.backend).start()
        let later = try worker()
        await later.backend.adopt(identifier, flowRunID: job.run.flowRunID, flowRunName: job.run.flowRunName)
        _ = try directory.write("go", "")
        try await eventually("the output of the run is copied") { later.output.text.contains("the end") }
        // The worker still knows the run as its own, although the process is gone.
        _ = try await job.on(earlier.backend).wait(for: identifier)
        #expect(try await job.on(later.backend).recover(identifier) == .present(identifier))
        #expect(try await job.on(later.backend).wait(for: identifier).lastOutput != nil)
    }

    @Test("the cleanup of a run that ended unwatched also ends the processes in its session")
    func leftovers() async throws {
        let earlier = try worker()
        let job = try earlier.shell("sleep 1000 & echo $! >$T/left; while [ ! -e $T/go ]; do sleep 0.01; done")
        let identifier = try await job.on(earlier.backend).start()
        try await eventually("the run has a child process") { directory.read("left")?.hasSuffix("\n") == true }
        let child = try #require(pid_t(directory.read("left")?.dropLast() ?? ""))
        // The leader is killed without a worker that watches its end.
        let leader = try #require(pid_t(identifier.rawValue))
        kill(leader, SIGSTOP)
        kill(child, SIGSTOP)
        kill(leader, SIGKILL)
        let later = try worker()
        await job.on(later.backend).cleanUp(identifier)
        try await eventually("the child process has ended") { !isAlive(child) }
        #expect(later.runDirectories.isEmpty)
    }

    @Test("directories of finished runs are removed, and those in use or expected are kept")
    func discard() async throws {
        let earlier = try worker()
        let job = try earlier.shell("sleep 1000")
        let identifier = try await job.on(earlier.backend).start()
        let (expected, over) = (try abandon("expected"), try abandon("over"))
        let later = try worker()
        let fresh = try abandon("fresh", by: later.backend.tag)
        await later.backend.removeOrphans(except: ["expected"])
        #expect(expected.exists && fresh.exists && !over.exists)
        #expect(identifier.handle["directory"]?.stringValue.map { RunDirectory(existing: $0).exists } == true)
        try await job.on(later.backend).stop(identifier, grace: .zero, reason: .shutdown)
        let careful = try Workbench(directory: directory)
        await careful.backend.removeOrphans(except: [])
        #expect(expected.exists)
    }
}
