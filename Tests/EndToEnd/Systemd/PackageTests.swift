import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite(
    "The Debian package on a machine with systemd", .requires(.prefectServer), .systemdMachine, .package, .oneOnMachine,
    .bounded)
struct PackageTests {
    private static let service = "prefect-worker.service"
    private static let settings = "/etc/prefect-worker"

    @Test(
        "the installed worker runs flows, keeps them over restarts, restarts when it hangs, drains, and can be purged")
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

    @Test(
        "the commands of the documentation work as written, with a pool `my-pool` and an API that requires a key")
    func documentedCommands() async throws {
        let machine = try #require(SystemdMachine.current)
        let service = "prefect-worker@my-pool.service"
        let key = "pnu_0123456789abcdef"
        var configuration = FakeAPIConfiguration()
        configuration.authorization = "Bearer \(key)"
        try await withFakePrefectAPI(configuration: configuration) { api in
            do {
                try await installPackage(on: machine)
                // The commands run as root, without sudo. A replacement for sudo runs its arguments, and a replacement
                // for the editor writes the settings that the documentation asks for.
                try machine.write("#!/bin/sh\nexec \"$@\"\n", to: "/usr/local/bin/sudo", isExecutable: true)
                // A machine without the right to mount passes no credentials to units. On such a machine the key is in
                // the environment.
                let passing = ["systemd-run", "--pipe", "--wait", "--property=SetCredential=a:b", "sh", "-c"]
                let passed = try await machine.outcome(passing + ["test -s \"$CREDENTIALS_DIRECTORY/a\""])
                let variable = passed.status == .exited(0) ? "" : " PREFECT_API_KEY=\(key)"
                try machine.write(
                    "#!/bin/sh\nprintf '%s\\n' PREFECT_API_URL=\(api.url) PREFECT_WORKER_PYTHON=none\(variable) >>\"$1\"\n",
                    to: "/usr/local/bin/editor", isExecutable: true)
                let operations = try Documentation.block(
                    after: "A first start:", in: "Sources/prefect-worker/Documentation.docc/Operations.md")
                let readme = try Documentation.block(after: "A first start as a service:", in: "README.md")
                #expect(operations.count == 5 && readme.count == 3)
                for line in operations + readme {
                    // The key is the input of each command. A log that is followed never ends, so `-f` is replaced.
                    let command = line.replacing("my-pool -f", with: "my-pool --no-pager")
                    let outcome = try await machine.outcome(["bash", "-c", "echo \(key) | { \(command)\n}"])
                    #expect(outcome.status == .exited(0), "\(line): \(outcome.text)")
                }
                let pool = try #require(api.pool("my-pool"))
                let host = try await machine.run("uname", "-n").first ?? ""
                #expect(pool.workers.map(\.name) == ["\(host)-my-pool"])
                let run = api.scheduleRun(
                    deployment: api.addDeployment(name: "d", pool: pool, jobVariables: ["command": "true"]))
                try await eventually(within: .seconds(60), "the run has ended, and its infrastructure is recorded") {
                    api.events.contains { $0["event"] == "prefect.worker.executed-flow-run" }
                        && api.run(run)?.infrastructurePID != nil
                }
                try await machine.run("systemctl", "disable", "--now", service)
            } catch {
                let status = try await machine.outcome(["systemctl", "status", "--no-pager", "-n", "60", service])
                try? await remove(from: machine)
                throw Explained(error: error, detail: status.text)
            }
            for path in ["/usr/local/bin/sudo", "/usr/local/bin/editor", "/etc/credstore/prefect-api-key"] {
                try FileManager.default.removeItem(atPath: machine.path(path))
            }
            try await remove(from: machine)
        }
    }

    private func installPackage(on machine: SystemdMachine) async throws {
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
    }

    /// Puts the package, with a later version, into a repository with a signature, and upgrades from there with apt.
    private func upgrade(on machine: SystemdMachine) async throws {
        let place = "/srv/prefect-worker-repository"
        let list = "/etc/apt/sources.list.d/prefect-worker.list"
        try await withReleaseFiles { release in
            try await release.run(
                """
                dpkg-deb --raw-extract "$package" later
                sed -i 's/^Version: .*/&+later/' later/DEBIAN/control
                dpkg-deb --root-owner-group -Znone --build later later.deb
                rm -rf '\(machine.path(place))'
                "$root/systemd/packaging/repository.sh" '\(machine.path(place))' "$package" later.deb
                """)
        }
        try machine.write("deb [signed-by=\(place)/prefect-worker.gpg] file:\(place) stable main\n", to: list)
        let only = [
            "-o", "Dir::Etc::SourceParts=-", "-o", "Dir::Etc::SourceList=\(list)", "-o", "APT::Get::List-Cleanup=0",
        ]
        for command in [["update"], ["install", "-y", "--only-upgrade", "prefect-worker"]] {
            let outcome = try await machine.outcome(
                ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"] + only
                    + ["-o", "Dpkg::Options::=--force-confdef"] + command,
                timeout: .seconds(240))
            try #require(outcome.status == .exited(0), "\(outcome.text)")
        }
        let version = try await machine.run("dpkg-query", "-W", "-f", "${Version}", "prefect-worker")
        #expect(version.first?.hasSuffix("+later") == true, "\(version)")
        try await machine.run("rm", "-r", place, list)
    }

    private func install(on machine: SystemdMachine, _ bench: TestBench) async throws {
        try await installPackage(on: machine)
        // The settings that an operator writes before the first start.
        try machine.write(
            """
            PREFECT_API_URL=\(bench.server.url)
            PREFECT_WORKER_QUERY_SECONDS=1
            WORKER_OPTIONS=--python \(SystemdMachine.python ?? "none") --name packaged

            """, to: "\(Self.settings)/environment")
        try machine.write("[pools.\(bench.pool)]\ntype = \"process\"\n", to: "\(Self.settings)/worker.toml")
        // The limits are shorter than on a real machine, but long enough that a busy worker is not taken for a hanging
        // one. Flows may write to the bench's directory.
        let home = SystemdBench(bench: bench, machine: machine).home
        try await machine.run("mkdir", "-p", home)
        try machine.write(
            "[Service]\nWatchdogSec=20\nTimeoutAbortSec=10\nRestartSec=1\nReadWritePaths=-\(home)\n",
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
        /// A run that lasts until the file of this word exists, and exits with 3.
        func lastingRun(_ word: String) async throws -> String {
            let file = "/tmp/\(bench.pool)-\(word)"
            let command =
                "/bin/sh -c 'echo begin-\(word); until [ -e \(file) ]; do sleep 0.2; done; echo end-\(word); exit 3'"
            let run = try await bench.server.createRun(deployment: bench.deploy(command: command))
            try await eventually(within: .seconds(60), "the run's output is in the journal", every: .milliseconds(200))
            {
                try await machine.journal("FLOW_RUN_ID=\(run)").contains {
                    $0["MESSAGE"]?.stringValue == "begin-\(word)"
                }
            }
            return run
        }
        /// Lets a run end. The run must have continued until now, and must be reported once.
        func end(_ word: String, _ run: String) async throws {
            var history = try await bench.server.stateHistory(of: run)
            #expect(history.last == "Submitting", "\(history)")
            let file = "/tmp/\(bench.pool)-\(word)"
            try machine.write("", to: file)
            try await bench.server.waitForRun(run, toBe: ["Crashed"])
            try FileManager.default.removeItem(atPath: machine.path(file))
            history = try await bench.server.stateHistory(of: run)
            #expect(history.count { $0 == "Pending" } == 1 && history.last == "Crashed", "\(history)")
            func printed() async throws -> [String] {
                try await machine.journal("FLOW_RUN_ID=\(run)", "SYSLOG_IDENTIFIER=prefect-run")
                    .compactMap { $0["MESSAGE"]?.stringValue }
            }
            // The journal writes with a delay.
            try await eventually(
                within: .seconds(30), "the run's last line is in the journal", every: .milliseconds(200)
            ) {
                try await printed().contains("end-\(word)")
            }
            let lines = try await printed()
            #expect(lines == ["begin-\(word)", "end-\(word)"])
        }
        func waitForNewProcess(than old: String) async throws {
            try await eventually(within: .seconds(60), "another process of the service runs", every: .milliseconds(200))
            {
                let (new, state) = try await (process(), machine.property("SubState", of: service))
                return state == "running" && new != old && new != "0"
            }
        }

        // At most 2.0 of 10.
        for unit in [service, "prefect-worker@.service"] {
            let analysis = try await machine.outcome(
                ["systemd-analyze", "security", "--offline=true", "--threshold=20", "/usr/lib/systemd/system/\(unit)"])
            #expect(analysis.status == .exited(0), "\(analysis.text)")
        }

        // `systemctl start` returns as soon as the worker is ready. The worker is ready as soon as it knows its pool.
        try await machine.run("systemctl", "start", service)
        #expect(try await machine.property("StatusText", of: service) == "serving, 0 flow runs in flight")
        #expect(try await bench.server.send("GET", "/work_pools/\(bench.pool)").status == 200)

        if SystemdMachine.python != nil {
            let flow = SystemdBench(bench: bench, machine: machine)
            let run = try await bench.server.createRun(
                deployment: flow.deploy("succeed"), parameters: ["word": "plover"])
            try await machine.run("chown", "-R", "prefect-worker", flow.home)
            try await bench.server.waitForRun(run, toBe: ["Completed"], within: .seconds(120))
            try await eventually("the server has the flow's log") {
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
        // The command does not wait until the worker has read the settings.
        try await eventually(within: .seconds(30), "the settings were read again", every: .milliseconds(200)) {
            try await machine.journal("_SYSTEMD_UNIT=\(service)").contains {
                $0["MESSAGE"]?.stringValue?.contains("the settings were read again") == true
            }
        }
        try await machine.waitForUnit(service, "ActiveState", toBe: "active")

        // The run continues over a restart, an upgrade and a kill of the worker.
        var old = try await process()
        try await machine.run("systemctl", "restart", service)
        #expect(try await process() != old)
        old = try await process()
        try await upgrade(on: machine)
        #expect(try await process() != old)
        old = try await process()
        try await machine.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", service)
        try await waitForNewProcess(than: old)
        try await end("restart", first)

        // The watchdog ends a worker that hangs, and the run continues.
        let second = try await lastingRun("hang")
        old = try await process()
        try await machine.run("systemctl", "kill", "--kill-who=main", "--signal=STOP", service)
        try await waitForNewProcess(than: old)
        // One restart after the kill, and one after the watchdog.
        #expect(try await machine.property("NRestarts", of: service) == "2")
        try await end("hang", second)

        // A stopped worker waits for its runs.
        let third = try await lastingRun("drain")
        async let stopped = machine.run("systemctl", "stop", service)
        try await eventually(within: .seconds(30), "the worker drains", every: .milliseconds(100)) {
            try await machine.property("StatusText", of: service) == "draining, 1 flow run in flight"
        }
        try await end("drain", third)
        _ = try await stopped
        #expect(try await machine.property("Result", of: service) == "success")
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, with the reason, unless there is a package to install, and the tools for a repository.
    static var package: Self {
        .enabled(if: ReleaseFiles.packageObstacle == nil, Comment(rawValue: ReleaseFiles.packageObstacle ?? ""))
    }
}
