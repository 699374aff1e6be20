import FoundationEssentials
import JSON
import TestSupport
import Testing

@Suite(
    "The package on a machine with systemd", .requires(.prefectServer), .systemdMachine, .package, .oneOnMachine,
    .bounded)
struct PackageTests {
    private static let service = "prefect-worker.service"
    private static let settings = "/etc/prefect-worker"

    @Test(
        "installed, it runs flows, goes on with them over restarts, is ended when it hangs, drains, and goes for good")
    func life() async throws {
        let machine = try #require(SystemdMachine.current)
        try await withTestBench { bench in
            do {
                try await install(on: machine, bench)
                try await live(on: machine, bench)
            } catch {
                let status = try await machine.outcome(["systemctl", "status", "--no-pager", "-n", "60", Self.service])
                try? await remove(from: machine)
                throw Explained(error: error, detail: status.text)
            }
            try await remove(from: machine)
        }
    }

    private func install(on machine: SystemdMachine, _ bench: TestBench) async throws {
        let package = try #require(ProcessInfo.processInfo.environment["TEST_PACKAGE"])
        let copy = machine.path("/root/prefect-worker.deb")
        try? FileManager.default.removeItem(atPath: copy)
        try FileManager.default.copyItem(atPath: package, toPath: copy)
        let outcome = try await machine.outcome(
            [
                "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--no-install-recommends",
                "-o", "Dpkg::Options::=--force-confdef", "/root/prefect-worker.deb",
            ], timeout: .seconds(240))
        try #require(outcome.status == .exited(0), "\(outcome.text)")
        // What an operator writes before the first start.
        try machine.write(
            """
            PREFECT_API_URL=\(bench.server.url)
            PREFECT_WORKER_QUERY_SECONDS=1
            WORKER_OPTIONS=--python \(SystemdMachine.python ?? "none") --name packaged

            """, to: "\(Self.settings)/environment")
        try machine.write("[pools.\(bench.pool)]\ntype = \"process\"\n", to: "\(Self.settings)/worker.toml")
        // Faster than a machine in use needs it.
        try machine.write(
            "[Service]\nWatchdogSec=4\nTimeoutAbortSec=2\nRestartSec=1\n",
            to: "/etc/systemd/system/\(Self.service).d/test.conf")
        try await machine.run("systemctl", "daemon-reload")
    }

    private func remove(from machine: SystemdMachine) async throws {
        _ = try await machine.outcome(["systemctl", "kill", "--signal=KILL", "--kill-who=all", Self.service])
        let outcome = try await machine.outcome(["apt-get", "purge", "-y", "prefect-worker"], timeout: .seconds(120))
        try? FileManager.default.removeItem(atPath: machine.path("/etc/systemd/system/\(Self.service).d"))
        try await machine.run("systemctl", "daemon-reload")
        #expect(outcome.status == .exited(0), "\(outcome.text)")
        for path in ["/usr/bin/prefect-worker", "/var/lib/prefect-worker", Self.settings] {
            #expect(!FileManager.default.fileExists(atPath: machine.path(path)), "\(path) is left")
        }
    }

    private func live(on machine: SystemdMachine, _ bench: TestBench) async throws {
        let service = Self.service
        func process() async throws -> String { try await machine.property("MainPID", of: service) }
        /// A run that lasts until there is a file of that name, and exits with 3.
        func lastingRun(_ word: String) async throws -> String {
            let file = "/tmp/\(bench.pool)-\(word)"
            let command =
                "/bin/sh -c 'echo begin-\(word); until [ -e \(file) ]; do sleep 0.2; done; rm \(file); echo end-\(word); exit 3'"
            let run = try await bench.server.createRun(deployment: bench.deploy(command: command))
            try await eventually(within: .seconds(60), "the run's output is in the journal", every: .milliseconds(200))
            {
                try await machine.journal("FLOW_RUN_ID=\(run)").contains {
                    $0["MESSAGE"]?.stringValue == "begin-\(word)"
                }
            }
            return run
        }
        /// Lets a run end, which must have gone on until now and must be told of once.
        func end(_ word: String, _ run: String) async throws {
            var history = try await bench.server.stateHistory(of: run)
            #expect(history.last == "Submitting", "\(history)")
            try machine.write("", to: "/tmp/\(bench.pool)-\(word)")
            _ = try await machine.outcome(["chown", "prefect-worker", "/tmp/\(bench.pool)-\(word)"])
            try await bench.server.waitForRun(run, toBe: ["Crashed"])
            history = try await bench.server.stateHistory(of: run)
            #expect(history.count { $0 == "Pending" } == 1 && history.last == "Crashed", "\(history)")
            let printed = try await machine.journal("FLOW_RUN_ID=\(run)", "SYSLOG_IDENTIFIER=prefect-run")
            #expect(printed.compactMap { $0["MESSAGE"]?.stringValue } == ["begin-\(word)", "end-\(word)"])
        }
        func waitForNewProcess(than old: String) async throws {
            try await eventually(within: .seconds(60), "another process serves", every: .milliseconds(200)) {
                let (new, state) = try await (process(), machine.property("SubState", of: service))
                return state == "running" && new != old && new != "0"
            }
        }

        let analysis = try await machine.outcome(
            ["systemd-analyze", "security", "--offline=true", "--threshold=35", "/lib/systemd/system/\(service)"])
        #expect(analysis.status == .exited(0), "\(analysis.text)")

        // `systemctl start` returns once the worker is ready, which is once it knows its pool.
        try await machine.run("systemctl", "start", service)
        #expect(try await machine.property("StatusText", of: service) == "serving, 0 flow runs in flight")
        #expect(try await bench.server.send("GET", "/work_pools/\(bench.pool)").status == 200)

        if SystemdMachine.python != nil {
            let flow = SystemdBench(bench: bench, machine: machine)
            let run = try await bench.server.createRun(
                deployment: flow.deploy("succeed"), parameters: ["word": "plover"])
            try await machine.run("chown", "-R", "prefect-worker", flow.home)
            try await bench.server.waitForRun(run, toBe: ["Completed"], within: .seconds(120))
            try await eventually("what it logs is there") {
                try await bench.server.logs(of: run).contains("the word is plover")
            }
            try await machine.run("rm", "-r", flow.home)
        }

        let first = try await lastingRun("restart")
        let entries = try await machine.journal("FLOW_RUN_ID=\(first)")
        let printed = try #require(entries.first { $0["MESSAGE"] == "begin-restart" })
        #expect(printed["SYSLOG_IDENTIFIER"] == "prefect-run" && printed["WORK_POOL"] == .string(bench.pool))
        #expect(printed["WORKER"] == "packaged" && printed["FLOW_RUN_NAME"]?.stringValue?.isEmpty == false)
        let said = try #require(entries.first { $0["SYSLOG_IDENTIFIER"] == "prefect-worker" })
        #expect(said["PRIORITY"] == "6" && said["WORK_POOL"] == .string(bench.pool) && said["WORKER"] == "packaged")

        try await machine.run("systemctl", "reload", service)
        #expect(try await machine.property("ActiveState", of: service) == "active")
        #expect(
            try await machine.journal("_SYSTEMD_UNIT=\(service)").contains {
                $0["MESSAGE"]?.stringValue?.contains("the settings were read again") == true
            })

        // The run goes on over a restart, and over the death of the worker.
        var old = try await process()
        try await machine.run("systemctl", "restart", service)
        #expect(try await process() != old)
        old = try await process()
        try await machine.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", service)
        try await waitForNewProcess(than: old)
        try await end("restart", first)

        // A worker that hangs is ended by the watchdog; its run goes on.
        let second = try await lastingRun("hang")
        old = try await process()
        try await machine.run("systemctl", "kill", "--kill-who=main", "--signal=STOP", service)
        try await waitForNewProcess(than: old)
        // Once for the one that was killed, and once for this one.
        #expect(try await machine.property("NRestarts", of: service) == "2")
        try await end("hang", second)

        // Stopped, it waits for what runs.
        let third = try await lastingRun("drain")
        async let stopped = machine.run("systemctl", "stop", service)
        try await eventually(within: .seconds(30), "the worker drains", every: .milliseconds(100)) {
            try await machine.property("StatusText", of: service) == "draining, 1 flow run left"
        }
        try await end("drain", third)
        _ = try await stopped
        #expect(try await machine.property("Result", of: service) == "success")
    }
}

extension Trait where Self == ConditionTrait {
    /// The test is skipped, with a comment that says why, unless there is a package to install.
    static var package: Self {
        .enabled(
            if: ProcessInfo.processInfo.environment["TEST_PACKAGE"] != nil,
            "needs a Debian package of the worker, as `make deb` makes it, at TEST_PACKAGE")
    }
}
