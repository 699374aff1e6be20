import BackendKit
import BackendKitTesting
import Foundation
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@Suite("Tasks of a remote service")
struct RemoteTaskTests {
    private static let away = RemoteTaskError(.unavailable(isUnapplied: false), "no answer", retryAfter: .zero)
    private let tasks = FakeTasks()

    private func withDirectory(_ body: (String) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "remote-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await body(directory)
    }

    @Test("a task is created, watched until its end and deleted")
    func path() async throws {
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            let workload = try process.workload()
            let identifier = try await workload.start()
            #expect(identifier.rawValue == "task-c1")
            async let status = workload.wait(for: identifier)
            tasks.end("task-c1", 3)
            #expect(try await status == ExitStatus(code: 3))
            await workload.cleanUp(identifier)
            #expect(tasks.names == [] && tasks.calls(of: "create") == 1)
        }
    }

    @Test("a creation whose answer is lost is looked up and not repeated")
    func lostAnswer() async throws {
        tasks.fail("create", (Self.away, hasEffect: true))
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            #expect(try await process.workload().start().rawValue == "task-c1")
            #expect(tasks.calls(of: "create") == 1 && tasks.calls(of: "find") == 1)
        }
    }

    @Test("a creation that was not carried out is repeated, and the backend reports the place as unavailable meanwhile")
    func repeated() async throws {
        tasks.state.withLock { $0.unanswered = ["create"] }
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            async let identifier = process.workload().start()
            try await eventually("the place is unavailable") {
                process.backend.unavailableReason == "the service at here is unavailable: slow down"
            }
            tasks.state.withLock { $0.unanswered = [] }
            #expect(try await identifier.rawValue == "task-c1")
            #expect(process.backend.unavailableReason == nil)
            #expect(tasks.calls(of: "create") > 1 && tasks.calls(of: "find") == 0)
        }
    }

    @Test("a run waits for capacity and says why, once")
    func full() async throws {
        let full = RemoteTaskError(.full, "no capacity in zone a", retryAfter: .zero)
        tasks.fail("create", (full, hasEffect: false))
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            _ = try await process.workload().start()
            #expect(process.reporter.lines == ["no capacity in zone a. The worker tries again"])
            #expect(process.reporter.pendingReports == 1)
        }
    }

    @Test("a look-up after a creation that was cancelled in its pause says so to the client")
    func abandoned() async throws {
        tasks.fail("create", (RemoteTaskError(.full, "no capacity", retryAfter: .seconds(600)), hasEffect: false))
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            let workload = try process.workload()
            let start = Task { try await workload.start() }
            try await eventually("the creation pauses") { process.reporter.pendingReports == 1 }
            start.cancel()
            await #expect(throws: CancellationError.self) { try await start.value }
            #expect(try await workload.recover(nil) == .neverStarted)
            #expect(tasks.state.withLock { Set($0.abandoned) } == ["c1"])
            _ = try await workload.start()
            #expect(try await workload.recover(nil) == .present(InfrastructureIdentifier(rawValue: "task-c1")))
            #expect(tasks.state.withLock { $0.abandoned.count } == 3)
        }
    }

    @Test("the run's log shows the task's address in the console")
    func console() async throws {
        tasks.state.withLock { $0.hasConsole = true }
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            _ = try await process.workload().start()
            #expect(process.reporter.lines == ["View the task in the console: https://console/task-c1"])
        }
    }

    @Test(
        "the setting for the wait for capacity is a number of seconds, or no limit",
        arguments: [
            (nil, .seconds(3600)), ("", .seconds(3600)), ("90", .seconds(90)), ("0", nil), ("-1", nil),
            ("1e300", .seconds(4_000_000_000)), ("soon", .seconds(3600)), ("inf", .seconds(3600)),
        ] as [(String?, Duration?)])
    func capacitySetting(text: String?, patience: Duration?) {
        let variable = CapacityPatience.setting.variables[0]
        let read = CapacityPatience(BackendHost(environment: text.map { [variable: $0] } ?? [:]))
        #expect(read.duration == patience)
        #expect((read.problem != nil) == ["soon", "inf"].contains(text))
    }

    @Test("a run that waits longer for capacity than its job permits is refused")
    func patience() async throws {
        tasks.fail("create", (RemoteTaskError(.full, "no capacity"), hasEffect: false))
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            let error = await #expect(throws: InfrastructureError.self) {
                try await process.workload("c1", ["patience": 0]).start()
            }
            #expect(error?.kind == .refused && error?.message.hasPrefix("no capacity. The run has waited") == true)
        }
    }

    @Test("a refused task is not created again, and keeps the exit code of its cause")
    func refused() async throws {
        tasks.fail("create", (RemoteTaskError(.refused, "no such image", exitCode: 125), hasEffect: false))
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            let error = await #expect(throws: InfrastructureError.self) { try await process.workload().start() }
            #expect(error == InfrastructureError(.refused, "no such image", exitCode: 125))
            #expect(tasks.calls(of: "create") == 1)
        }
    }

    @Test("a service that does not know a new task yet is no evidence of its end, and a deleted task has ended")
    func gone() async throws {
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            let workload = try process.workload()
            let identifier = try await workload.start()
            tasks.state.withLock { $0.blindness = 2 }
            async let status = workload.wait(for: identifier)
            try await eventually("the task is known again") { tasks.calls(of: "describe") > 4 }
            tasks.state.withLock { $0.tasks = [:] }
            let end = try await status
            #expect(end.code == nil && end.reason?.contains("deleted by somebody else") == true)
        }
    }

    @Test("a task that has not begun is reported as pending")
    func pending() async throws {
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            let workload = try process.workload()
            let identifier = try await workload.start()
            tasks.state.withLock { $0.tasks["task-c1"]?.hasBegun = false }
            async let status = workload.wait(for: identifier)
            try await eventually("the run is pending") { process.reporter.pendingReports == 1 }
            tasks.end("task-c1", 0)
            #expect(try await status.code == 0)
        }
    }

    @Test("a stop that the task ignores is followed by another, and a stop of a missing task is not found")
    func stops() async throws {
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            let workload = try process.workload()
            let identifier = try await workload.start()
            try await workload.stop(identifier, grace: .milliseconds(100), reason: .cancelled)
            #expect(tasks.calls(of: "stop") == 1)
            tasks.state.withLock { $0.tasks = [:] }
            let error = await #expect(throws: InfrastructureError.self) {
                try await workload.stop(identifier, grace: .zero, reason: .cancelled)
            }
            #expect(error?.kind == .notFound)
        }
    }

    @Test("many tasks are described together")
    func batches() async throws {
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            try await withThrowingTaskGroup(of: Int?.self) { group in
                for number in 0..<150 {
                    group.addTask {
                        let workload = try process.workload("c\(number)")
                        let identifier = try await workload.start()
                        return try await workload.wait(for: identifier).code
                    }
                }
                try await eventually("all tasks are watched") {
                    process.backend.watchLag != nil && tasks.names.count == 150
                }
                for name in tasks.names { tasks.end(name, 0) }
                for try await code in group { #expect(code == 0) }
            }
            let described = tasks.state.withLock { $0.described }
            #expect(described.max() ?? 0 > 20 && described.allSatisfy { $0 <= 100 })
        }
    }

    @Test("a later process finds a task by its identifier or its claim, and a run that was never started")
    func recovery() async throws {
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            _ = try await process.workload("c1").start()
            _ = try await process.workload("c2").start()
        }
        tasks.end("task-c1", 0)
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            let first = InfrastructureIdentifier(rawValue: "task-c1")
            let second = InfrastructureIdentifier(rawValue: "task-c2")
            #expect(try await process.workload("c1").recover(first) == .present(first))
            #expect(try await process.workload("c2").recover(nil) == .present(second))
            // The service does not know a task at once.
            tasks.state.withLock { $0.blindness = 2 }
            #expect(try await process.workload("c2").recover(nil) == .present(second))
            #expect(try await process.workload("c3").recover(nil) == .neverStarted)
            let missing = InfrastructureIdentifier(rawValue: "task-c9")
            #expect(try await process.workload("c9").recover(missing) == .ended(missing))
            let elsewhere = InfrastructureIdentifier(rawValue: "other")
            #expect(try await process.workload("c9").recover(elsewhere) == .outOfReach)
            tasks.fail("find", (Self.away, hasEffect: false))
            let error = await #expect(throws: InfrastructureError.self) {
                try await process.workload("c2").recover(nil)
            }
            #expect(error?.kind == .unavailable)
        }
    }

    @Test("a deletion that fails is carried out by the next process")
    func deletion() async throws {
        try await withDirectory { directory in
            tasks.state.withLock { $0.unanswered = ["delete"] }
            try await FakeProcess.run(tasks, stateDirectory: directory) { (process: FakeProcess) async throws in
                let workload = try process.workload()
                let identifier = try await workload.start()
                await workload.cleanUp(identifier)
                #expect(tasks.names == ["task-c1"])
            }
            tasks.state.withLock { $0.unanswered = [] }
            try await FakeProcess.run(tasks, stateDirectory: directory) { (process: FakeProcess) async throws in
                // The place is known with the first run there.
                _ = try await process.workload("c2", ["keep": true]).start()
                try await eventually("the task is deleted") { tasks.names == ["task-c2"] }
            }
            // The deletion is complete when the service says that the task is gone.
            @Sendable func records() throws -> Int {
                try FileManager.default.contentsOfDirectory(atPath: "\(directory)/fake-deletions").count
            }
            #expect(try records() == 1)
            try await FakeProcess.run(tasks, stateDirectory: directory) { (process: FakeProcess) async throws in
                _ = try await process.workload("c3", ["keep": true]).start()
                try await eventually("the record is removed") { try records() == 0 }
            }
        }
    }

    @Test("a kept task is not deleted")
    func kept() async throws {
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            let workload = try process.workload("c1", ["keep": true])
            await workload.cleanUp(try await workload.start())
            #expect(tasks.names == ["task-c1"] && tasks.calls(of: "delete") == 0)
        }
    }

    @Test("a sweep deletes tasks that have ended and that no run uses")
    func sweep() async throws {
        try await withDirectory { directory in
            try await FakeProcess.run(tasks, stateDirectory: directory) { (process: FakeProcess) async throws in
                for claim in ["c1", "c2"] { _ = try await process.workload(claim).start() }
            }
            for name in tasks.names { tasks.end(name, 0) }
            try await FakeProcess.run(tasks, stateDirectory: directory) { (process: FakeProcess) async throws in
                let used = InfrastructureIdentifier(rawValue: "task-c2")
                await process.backend.adopt(used, flowRunID: "run-c2", flowRunName: "otter")
                #expect(try await process.workload("c2").recover(used) == .present(used))
                try await eventually("the orphan is deleted") { tasks.names == ["task-c2"] }
            }
        }
    }

    @Test("a flow that is cancelled may end by itself before it is stopped, and one that has not begun may not")
    func cancelledFlow() async throws {
        try await FakeProcess.run(tasks) { (process: FakeProcess) async throws in
            let workload = try process.workload("c1")
            let identifier = try await workload.start()
            async let stop: Void = workload.stop(identifier, grace: .seconds(30), reason: .cancelled)
            try await Task.sleep(for: .milliseconds(100))
            tasks.end("task-c1", 0)
            try await stop
            #expect(tasks.calls(of: "stop") == 0)
            let other = try process.workload("c2")
            let waiting = try await other.start()
            tasks.state.withLock { $0.tasks["task-c2"]?.hasBegun = false }
            try await other.stop(waiting, grace: .seconds(30), reason: .cancelled)
            #expect(tasks.calls(of: "stop") == 1)
            let slow = try process.workload("c3")
            let running = try await slow.start()
            try await slow.stop(running, grace: .zero, reason: .cancelled)
            #expect(tasks.calls(of: "stop") == 2)
        }
    }

    @Test("a sweep keeps tasks of runs that their recovery decides about, and a run without a place is out of reach")
    func recoveringRuns() async throws {
        for claim in ["c1", "c2"] { tasks.state.withLock { $0.tasks["task-\(claim)"] = FakeTasks.Item(code: 0) } }
        try await withDirectory { directory in
            let owner = OwnerMark.take(in: directory, ofType: "fake")
            for claim in ["c1", "c2"] { tasks.state.withLock { $0.tasks["task-\(claim)"]?.owner = owner } }
            try await FakeProcess.run(tasks, stateDirectory: directory) { (process: FakeProcess) async throws in
                await process.backend.removeOrphans(except: ["run-c2"])
                #expect(try await process.workload("c3").recover(nil) == .neverStarted)
                try await eventually("the other orphan is deleted") { tasks.names == ["task-c2"] }
                #expect(
                    try await process.workload("c2").recover(nil)
                        == .present(InfrastructureIdentifier(rawValue: "task-c2")))
                #expect(try await process.workload("c4", ["place": "nowhere"]).recover(nil) == .outOfReach)
            }
        }
    }

    @Test("output is printed once, also by successive processes")
    func output() async throws {
        try await withDirectory { directory in
            tasks.state.withLock { $0.output = Array("one\n".utf8) }
            let identifier = InfrastructureIdentifier(rawValue: "task-c1")
            try await FakeProcess.run(tasks, stateDirectory: directory) { (process: FakeProcess) async throws in
                let workload = try process.workload("c1", ["stream_output": true])
                _ = try await workload.start()
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { _ = try? await workload.wait(for: identifier) }
                    try? await eventually("the first line is printed") { process.sink.text == "one\n" }
                    try? await eventually("the position is recorded") {
                        FileManager.default.fileExists(atPath: "\(directory)/fake-output/run-c1-output")
                    }
                    group.cancelAll()
                }
            }
            tasks.state.withLock { $0.output += Array("two\n".utf8) }
            tasks.end("task-c1", 0)
            try await FakeProcess.run(tasks, stateDirectory: directory) { (process: FakeProcess) async throws in
                let workload = try process.workload("c1", ["stream_output": true])
                #expect(try await workload.wait(for: identifier).code == 0)
                #expect(process.sink.text == "two\n")
            }
        }
    }
}
