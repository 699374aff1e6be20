import BackendKit
import BackendKitTesting
import Foundation
import PrefectJSON
import TestSupport
import Testing

@testable import ProcessBackend

struct StopTests {
    /// Starts a job and waits until it has created the file `ready`.
    private func started(_ bench: Workbench, _ job: ProcessWorkload) async throws
        -> InfrastructureIdentifier
    {
        let identifier = try await job.start()
        try await eventually("the process is ready") { bench.directory.read("ready") != nil }
        return identifier
    }

    @Test("a run that ends within the grace period after SIGTERM keeps its own exit code")
    func orderly() async throws {
        let bench = try Workbench()
        let job = try bench.shell("trap 'echo bye; exit 3' TERM; touch $T/ready; while :; do sleep 0.01; done")
        let identifier = try await started(bench, job)
        try await job.stop(identifier, grace: .seconds(30), reason: .shutdown)
        #expect(try await job.wait(for: identifier).code == 3)
        try await eventually("the output after SIGTERM is copied") { bench.output.text == "bye\n" }
    }

    @Test("a run that ignores SIGTERM is killed after the grace period, with processes in other groups and sessions")
    func stubborn() async throws {
        let bench = try Workbench()
        // One child is in the group, one has its own group, and two have their own sessions, the last as an orphan.
        let job = try bench.shell(
            """
            trap '' TERM
            sleep 1000 &
            python3 -c 'import os, time; os.setpgid(0, 0); time.sleep(1000)' &
            setsid sleep 1000 &
            (setsid sleep 1000 &)
            touch $T/ready
            while :; do sleep 1000; done
            """)
        let identifier = try await job.start()
        try await eventually("all processes are running") { processes(of: job.run.flowRunID).count >= 6 }
        let start = ContinuousClock.now
        try await job.stop(identifier, grace: .milliseconds(200), reason: .shutdown)
        #expect(.now - start >= .milliseconds(200))
        #expect(processes(of: job.run.flowRunID) == [])
        #expect(try await job.wait(for: identifier).code == -9)
    }

    @Test("a child outside the session and without the environment is found by its parents")
    func escaped() async throws {
        let bench = try Workbench()
        let job = try bench.shell(
            "env -i setsid sh -c 'trap \"\" TERM; echo $$ > '$T'/escaped; while :; do /bin/sleep 1000; done' & trap 'exit 0' TERM; while :; do sleep 0.01; done"
        )
        let identifier = try await job.start()
        try await eventually("the child has escaped") { bench.directory.read("escaped")?.hasSuffix("\n") == true }
        let escaped = try #require(pid_t(bench.directory.read("escaped")?.dropLast() ?? ""))
        try await job.stop(identifier, grace: .milliseconds(300), reason: .shutdown)
        #expect(!isAlive(escaped))
    }

    @Test("stopping a run does not affect another attempt of the same flow run on this host")
    func otherAttempt() async throws {
        let bench = try Workbench()
        let job = try bench.shell("sleep 1000")
        let first = try await job.start()
        let second = try await job.start()
        try await job.stop(first, grace: .seconds(5), reason: .shutdown)
        #expect(isAlive(pid_t(second.rawValue) ?? 0))
        try await job.stop(second, grace: .seconds(5), reason: .shutdown)
    }

    @Test("concurrent and repeated stops send one SIGTERM and cause no error")
    func twice() async throws {
        let bench = try Workbench()
        let job = try bench.shell(
            """
            n=-1
            trap 'echo term; [ $n -ge 0 ] || n=0' TERM
            touch $T/ready
            while [ $n -lt 30 ]; do sleep 0.01; [ $n -lt 0 ] || n=$((n+1)); done
            exit 4
            """)
        let identifier = try await started(bench, job)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    try await job.stop(identifier, grace: .seconds(30), reason: .cancelled)
                }
            }
            try await group.waitForAll()
        }
        try await job.stop(identifier, grace: .seconds(30), reason: .cancelled)
        #expect(try await job.wait(for: identifier).code == 4)
        try await eventually("the signal is printed") { !bench.output.text.isEmpty }
        #expect(bench.output.text == "term\n")
    }

    @Test("after a normal end, the process group is gone, and a daemon with its own session still runs")
    func leftovers() async throws {
        let bench = try Workbench()
        // The leader ends only once the daemon has its own session. Before that, the daemon belongs to the group.
        let job = try bench.shell(
            """
            sh -c 'trap "" TERM; touch $T/ready; while :; do sleep 1000; done' &
            setsid sh -c ': >$T/away; exec sleep 1000' &
            while [ ! -e $T/ready ] || [ ! -e $T/away ]; do sleep 0.01; done
            exit 0
            """)
        let identifier = try await job.start()
        let status = try await job.wait(for: identifier)
        #expect(status.code == 0)
        let left = processes(of: job.run.flowRunID)
        #expect(left.count == 1)
        // A later stop ends the daemon as well.
        try await job.stop(identifier, grace: .seconds(1), reason: .shutdown)
        #expect(processes(of: job.run.flowRunID) == [])
    }

    @Test("a grandchild that keeps the output open does not delay the end of the run")
    func openOutput() async throws {
        let bench = try Workbench()
        let job = try bench.shell("echo begun; setsid sleep 1000 & exit 6")
        let identifier = try await job.start()
        let start = ContinuousClock.now
        #expect(try await job.wait(for: identifier).code == 6)
        #expect(.now - start < .seconds(10))
        try await eventually("the output is copied") { bench.output.text == "begun\n" }
        try await job.stop(identifier, grace: .zero, reason: .shutdown)
    }

    // MARK: - Control sessions

    /// A stand-in for a flow's engine that implements its side of the control session.
    private func engine(_ body: String) -> String {
        """
        import json, os, signal, socket, struct, sys, time
        port, token = os.environ["PREFECT__CONTROL_PORT"], os.environ["PREFECT__CONTROL_TOKEN"]
        link = socket.create_connection(("127.0.0.1", int(port)))
        link.sendall(token.encode() + b"\\n" + b"\\x00PF\\x02\\x01")
        assert link.recv(5) == b"\\x00PF\\x02\\x01"
        def report(**receipt):
            data = json.dumps(receipt).encode()
            link.sendall(b"\\x01" + struct.pack("!I", len(data)) + data)
            assert link.recv(1) == b"\\x02"
        def ready():
            open(os.environ["T"] + "/ready", "w").close()
        \(body)
        """
    }

    @Test("the report of an engine about its run is the conclusion, regardless of the exit code")
    func receipt() async throws {
        let bench = try Workbench()
        let failed = try await bench.run(
            bench.python(
                engine(
                    "report(disposition='STATE_REPORTED', state_id='00000000-0000-4000-8000-000000000003', state_name='Failed', state_type='FAILED'); sys.exit(1)"
                )))
        #expect(failed.code == 1)
        #expect(failed.conclusion == .stateReported(type: "FAILED", name: "Failed"))
        let aborted = try await bench.run(bench.python(engine("report(disposition='ORCHESTRATION_ABORTED')")))
        #expect(aborted.conclusion == .abortedByAPI)
    }

    @Test("a cancelled engine is notified before SIGTERM, and its clean end gives no conclusion")
    func cancelled() async throws {
        let bench = try Workbench()
        let job = try bench.python(
            engine(
                """
                # The byte stays in the socket, where the handler finds it however early the signal comes.
                def term(number, frame):
                    sys.exit(0 if link.recv(1, socket.MSG_PEEK) == b"c" else 9)
                signal.signal(signal.SIGTERM, term)
                ready()
                link.recv(1, socket.MSG_PEEK)
                link.sendall(b"a")
                time.sleep(100)
                """))
        let identifier = try await started(bench, job)
        try await job.stop(identifier, grace: .seconds(20), reason: .cancelled)
        let status = try await job.wait(for: identifier)
        #expect(status.code == 0)
        #expect(status.conclusion == nil)
    }

    @Test("an engine that has reported its end gets no SIGTERM from a later cancellation")
    func cancelledAfterItsEnd() async throws {
        let bench = try Workbench()
        let job = try bench.python(
            engine(
                """
                import json
                def term(number, frame):
                    sys.exit(9)
                signal.signal(signal.SIGTERM, term)
                receipt = json.dumps({"disposition": "ORCHESTRATION_ABORTED"}).encode()
                link.sendall(b"\\x00PF\\x02\\x01")
                link.recv(5)
                link.sendall(b"\\x01" + len(receipt).to_bytes(4, "big") + receipt)
                link.recv(1)
                ready()
                while not os.path.exists(os.environ["T"] + "/may-end"): time.sleep(0.01)
                """))
        let identifier = try await started(bench, job)
        async let stopped: Void = job.stop(identifier, grace: .seconds(60), reason: .cancelled)
        // By then the cancel request has been sent, and a SIGTERM would have been sent as well.
        try await Task.sleep(for: .milliseconds(200))
        _ = try bench.directory.write("may-end", "")
        try await stopped
        let status = try await job.wait(for: identifier)
        #expect(status.code == 0)
        #expect(status.conclusion == .abortedByAPI)
    }

    @Test("an engine that acknowledges a cancellation and is then killed gives no conclusion")
    func cancelledAndKilled() async throws {
        let bench = try Workbench()
        let job = try bench.python(
            engine(
                """
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                ready()
                link.recv(1)
                link.sendall(b"a")
                time.sleep(100)
                """))
        let identifier = try await started(bench, job)
        try await job.stop(identifier, grace: .milliseconds(50), reason: .cancelled)
        let status = try await job.wait(for: identifier)
        #expect(status.code == -9)
        #expect(status.conclusion == nil)
    }

    @Test("an engine that does not answer gets SIGTERM on shutdown, and a second after a cancel request")
    func unanswered() async throws {
        for reason in [StopReason.cancelled, .shutdown] {
            let bench = try Workbench()
            let job = try bench.python(engine("ready(); time.sleep(100)"))
            let identifier = try await started(bench, job)
            let start = ContinuousClock.now
            try await job.stop(identifier, grace: .seconds(20), reason: reason)
            if reason == .cancelled { #expect(.now - start >= .seconds(1)) }
            #expect(try await job.wait(for: identifier).code == -15)
        }
    }
}
