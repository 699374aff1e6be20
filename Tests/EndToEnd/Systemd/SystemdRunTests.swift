import PrefectJSON
import TestSupport
import Testing

@Suite("Flow runs as systemd units", .requires(.prefectServer), .systemdMachine, .oneOnMachine, .bounded)
struct SystemdRunTests {
    @Test("a flow run is a unit with limits and journal fields, and the end of the run removes its directory")
    func completes() async throws {
        try await withSystemdBench(type: "systemd") { systemd in
            let server = systemd.bench.server
            let run = try await systemd.shell(
                "touch \"$OUT/begun\"; while [ ! -e \"$OUT/go\" ]; do sleep 0.1; done",
                jobVariables: ["memory_max": "200M", "tasks_max": 50, "cpu_quota": 1.5, "env": ["TOKEN": "hush-hush"]],
                name: "it's a \"run\" of 100%")
            let printing = try await systemd.shell(
                "pwd >\"$OUT/place\"; touch here; echo 'out %n $HOME'; printf '%s' \"$GREETING\"",
                jobVariables: ["env": ["GREETING": "it's\n$HOME `id` \\n %i"]])
            try await systemd.start(systemd.unit(["--type", "systemd", "--python", "none"]))
            try await eventually(within: .seconds(40), "the run has begun") {
                systemd.machine.exists("\(systemd.home)/begun")
            }
            let unit = try #require(try await systemd.unit(of: run))
            for (property, value) in [
                ("MemoryMax", "209715200"), ("TasksMax", "50"), ("CPUQuotaPerSecUSec", "1.500000s"),
                ("Description", "it's a \"run\" of 100%"),
            ] {
                let shown = try await systemd.machine.property(property, of: unit)
                #expect(shown == value, "\(property)")
            }
            // Every user can read the properties of a unit and the command lines of processes.
            let shown = try await systemd.machine.outcome(["systemctl", "show", "--all", unit]).text
            #expect(shown.contains(run) && !shown.contains("hush-hush"))
            let processes = try await systemd.machine.outcome(["ps", "axww", "-o", "args"]).text
            #expect(processes.contains("/bin/sh \(systemd.home)/run-") && !processes.contains("hush-hush"))
            let readable = try await systemd.machine.outcome(
                ["find", systemd.home, "-name", "start", "-printf", "%m\n"])
            #expect(Set(readable.output) == ["600"])
            try await server.setState(of: run, to: "COMPLETED", force: true)
            try systemd.write("go", "")

            try await eventually(within: .seconds(20), "the run's output is in the journal") {
                try await systemd.machine.journal("FLOW_RUN_ID=\(printing)", "SYSLOG_IDENTIFIER=prefect-run").count >= 3
            }
            let lines = try await systemd.machine.journal("FLOW_RUN_ID=\(printing)", "SYSLOG_IDENTIFIER=prefect-run")
            #expect(
                lines.compactMap { $0["MESSAGE"]?.stringValue } == ["out %n $HOME", "it's", "$HOME `id` \\n %i"])
            #expect(lines.first?["WORK_POOL"]?.stringValue == systemd.bench.pool)
            #expect(lines.first?["WORKER"]?.stringValue == "bench")
            #expect(lines.first?["FLOW_RUN_NAME"]?.stringValue?.isEmpty == false)
            #expect(lines.first?["SYSLOG_IDENTIFIER"]?.stringValue == "prefect-run")
            let place = try #require(systemd.notes("place").first)
            #expect(place.hasPrefix("/var/cache/prefect-run/prefect-run-\(printing)"))
            try await eventually(within: .seconds(20), "the run's directories are removed") {
                !systemd.machine.exists(place) && systemd.directories().isEmpty
            }
            #expect(
                try await systemd.machine.run("systemctl", "list-units", "--all", "--quiet", "prefect-run-\(run)*")
                    == [])
        }
    }

    @Test("the end of a run is reported with its cause: exit code, signal, memory limit, time limit or failed start")
    func ends() async throws {
        try await withSystemdBench(type: "systemd") { systemd in
            let seven = try await systemd.shell("echo these are the last words >&2; exit 7")
            let killed = try await systemd.shell("kill -USR1 $$")
            let hungry = try await systemd.shell(
                "exec python3 -c 'x = bytearray(300 << 20)'", jobVariables: ["memory_max": "64M"])
            let slow = try await systemd.shell(
                "trap 'exit 0' TERM; sleep 600 & wait", jobVariables: ["runtime_max_sec": 1])
            let missing = try await systemd.bench.server.createRun(
                deployment: systemd.bench.deploy(command: "no-such-program"))
            let stranger = try await systemd.shell("true", jobVariables: ["user": "nobody-at-all"])
            let wrong = try await systemd.shell("true", jobVariables: ["memory_max": "lots"])
            let bold = try await systemd.shell("true", jobVariables: ["protect_system": "no"])
            try await systemd.start(
                systemd.unit(["--type", "systemd", "--python", "none", "--allow-job-variable", "user"]))
            let expected = [
                (seven, "non-zero status code 7"), (seven, "Last output: these are the last words"),
                (killed, "non-zero status code -10"), (hungry, "memory_max"), (hungry, "64M"),
                (slow, "longer than its runtime_max_sec of 1 s"), (missing, "non-zero status code 127"),
                (stranger, "'nobody-at-all', which does not exist"), (wrong, "The job variable 'memory_max' is 'lots'"),
                (bold, "The job variable 'protect_system' decides what a run may do"),
            ]
            for (run, text) in expected {
                let crash = try await systemd.waitForRun(run, toBe: ["Crashed", "Failed", "Completed"])
                #expect(crash["state_name"] == "Crashed")
                #expect(crash["state"]?["message"]?.stringValue?.contains(text) == true, "\(crash["state"] ?? .null)")
            }
            #expect(
                try await systemd.machine.run("systemctl", "list-units", "--all", "--quiet", "prefect-run-\(seven)*")
                    == [])
        }
    }

    @Test(
        "Prefect flows and their hooks run in units, for completed, failed, crashed and cancelled flows",
        .systemdPython)
    func flows() async throws {
        let python = try #require(SystemdMachine.python)
        try await withSystemdBench(type: "systemd") { systemd in
            let server = systemd.bench.server
            let completing = try await server.createRun(
                deployment: systemd.deploy("succeed", jobVariables: ["memory_max": "1G", "protect_system": "full"]),
                parameters: ["word": "plover"])
            let failing = try await server.createRun(deployment: systemd.deploy("fail"))
            let exiting = try await server.createRun(deployment: systemd.deploy("exit_seven"))
            // The limit is less than the interpreter and Prefect need.
            let hungry = try await server.createRun(
                deployment: systemd.deploy("rest", jobVariables: ["memory_max": "24M"]))
            let dying = try await server.createRun(deployment: systemd.deploy("kill_itself"))
            let resting = try await server.createRun(deployment: systemd.deploy("rest"))
            try await systemd.start(
                systemd.unit(
                    ["--type", "systemd", "--python", python, "--allow-job-variable", "protect_system"]))

            try await systemd.waitForRun(completing, toBe: ["Completed"], within: .seconds(120))
            try await eventually("the flow's output is in the journal") {
                try await systemd.machine.journal("FLOW_RUN_ID=\(completing)", "SYSLOG_IDENTIFIER=prefect-run")
                    .contains { $0["MESSAGE"] == "printed plover" }
            }
            try await eventually("the server has the flow's log") {
                try await server.logs(of: completing).contains("the word is plover")
            }
            let failure = try await systemd.waitForRun(failing, toBe: ["Failed"], within: .seconds(120))
            #expect(failure["state"]?["message"]?.stringValue?.contains("on purpose") == true)
            for (run, texts) in [
                (exiting, ["status code 7", "these are the last words"]), (hungry, ["24M"]), (dying, ["-9"]),
            ] {
                let crash = try await systemd.waitForRun(run, toBe: ["Crashed"], within: .seconds(120))
                let message = crash["state"]?["message"]?.stringValue ?? ""
                for text in texts { #expect(message.contains(text), "\(message)") }
            }

            try await systemd.waitForRun(resting, toBe: ["Running"], within: .seconds(120))
            try await eventually(within: .seconds(60), "the flow's code runs") { !systemd.notes("pid").isEmpty }
            try await server.setState(of: resting, to: "CANCELLING", name: "Cancelling")
            try await systemd.waitForRun(resting, toBe: ["Cancelled"])
            // The flow's process has ended, so the hooks run without it.
            #expect(systemd.notes("cancelled-hook") == ["Cancelling"])
            try await eventually(within: .seconds(60), "the hook of the crashed flow has run") {
                systemd.notes("crashed-hook") == ["Crashed"]
            }
            try await eventually(within: .seconds(30), "no unit remains") {
                try await systemd.machine.run("systemctl", "list-units", "--all", "--quiet", "prefect-run-*")
                    .allSatisfy { !$0.contains(resting) && !$0.contains(completing) }
            }
        }
    }

    @Test("a cancelled run gets SIGTERM, and after its stop timeout all of its processes are killed")
    func cancelled() async throws {
        try await withSystemdBench(type: "systemd") { systemd in
            let server = systemd.bench.server
            // The shell writes the file itself, because systemd also signals processes that begin while it signals.
            let orderly = try await systemd.shell(
                "trap ': > \"$OUT/told\"; exit 0' TERM; touch \"$OUT/first\"; sleep 600 & wait")
            let stubborn = try await systemd.shell(
                "trap '' TERM; (trap '' TERM; sleep 600) & touch \"$OUT/second\"; sleep 600; wait",
                jobVariables: ["timeout_stop_sec": 1])
            try await systemd.start(systemd.unit(["--type", "systemd", "--python", "none"]))
            try await eventually(within: .seconds(40), "both runs have begun") {
                systemd.machine.exists("\(systemd.home)/first") && systemd.machine.exists("\(systemd.home)/second")
            }
            for run in [orderly, stubborn] {
                try await server.setState(of: run, to: "RUNNING", force: true)
                try await server.setState(of: run, to: "CANCELLING", name: "Cancelling")
            }
            for run in [orderly, stubborn] {
                try await systemd.waitForRun(run, toBe: ["Cancelled"])
                #expect(
                    try await systemd.machine.run("systemctl", "list-units", "--all", "--quiet", "prefect-run-\(run)*")
                        == [])
            }
            #expect(systemd.machine.exists("\(systemd.home)/told"))
        }
    }

    @Test(
        "a run of another user has the sandbox of its variables, its own directory and its own environment"
    )
    func sandboxed() async throws {
        try await withSystemdBench(type: "systemd") { systemd in
            for directory in ["open", "closed"] {
                try systemd.write("\(directory)/x", "")
                try await systemd.machine.run("chmod", "-R", "777", "\(systemd.home)/\(directory)")
            }
            let run = try await systemd.shell(
                """
                exec >"$OUT/open/said" 2>&1
                id -un; echo "$TOKEN"; touch mine && echo wrote; touch "$OUT/closed/y" || echo kept out
                grep NoNewPrivs /proc/self/status
                """,
                jobVariables: [
                    "user": "nobody", "protect_system": "strict", "protect_home": true, "private_tmp": true,
                    "no_new_privileges": true, "env": ["TOKEN": "for nobody"],
                    "read_write_paths": [.string("\(systemd.home)/open")],
                ])
            let allowed = "user,protect_system,protect_home,private_tmp,no_new_privileges,read_write_paths"
            try await systemd.start(
                systemd.unit(
                    ["--type", "systemd", "--python", "none"],
                    variables: ["PREFECT_WORKER_ALLOWED_JOB_VARIABLES": allowed]))
            try await eventually(within: .seconds(40), "the run has written all lines") {
                systemd.notes("open/said").contains { $0.hasPrefix("NoNewPrivs") }
            }
            let said = systemd.notes("open/said")
            #expect(said.starts(with: ["nobody", "for nobody", "wrote"]))
            #expect(said.contains("kept out") && said.contains("NoNewPrivs:\t1"))
            try await eventually(within: .seconds(20), "the run's directory is removed", every: .milliseconds(100)) {
                !systemd.machine.names(in: "/var/cache/prefect-run").contains { $0.contains(run) }
            }
            try await eventually(
                within: .seconds(60), "the run's infrastructure is recorded", every: .milliseconds(200)
            ) {
                try await systemd.bench.server.flowRun(run)["infrastructure_pid"]?.stringValue != nil
            }
        }
    }

    @Test("a worker with its user's manager runs flows there, and refuses variables that need the system's manager")
    func userManager() async throws {
        try await withSystemdBench(type: "systemd") { systemd in
            let directory = "\(systemd.home)/.config/systemd/user"
            try systemd.machine.write("[Socket]\nListenStream=%t/bus\n", to: "\(directory)/dbus.socket")
            try systemd.machine.write(
                """
                [Unit]
                Requires=dbus.socket
                [Service]
                Type=notify
                ExecStart=/usr/bin/dbus-daemon --session --address=systemd: --nofork --nopidfile --systemd-activation
                """, to: "\(directory)/dbus.service")
            let runtime = "/run/\(systemd.bench.pool)"
            try await systemd.machine.installUnit(
                "\(systemd.bench.pool)-manager.service",
                """
                [Service]
                Type=notify
                ExecStart=/lib/systemd/systemd --user
                Environment=HOME=\(systemd.home) XDG_RUNTIME_DIR=\(runtime)
                RuntimeDirectory=\(systemd.bench.pool)
                Delegate=yes
                """)
            try await systemd.machine.run("systemctl", "start", "\(systemd.bench.pool)-manager.service")
            let user = ["env", "XDG_RUNTIME_DIR=\(runtime)", "systemctl", "--user"]
            #expect(try await systemd.machine.outcome(user + ["start", "dbus.service"]).status == .exited(0))

            let run = try await systemd.shell("pwd >\"$OUT/place\"; exit 3", jobVariables: ["memory_max": "100M"])
            let other = try await systemd.shell("true", jobVariables: ["user": "nobody"])
            try await systemd.start(
                systemd.unit(
                    ["--type", "systemd", "--python", "none"],
                    variables: [
                        "XDG_RUNTIME_DIR": runtime, "PREFECT_WORKER_SYSTEMD_MANAGER": "user",
                        "PREFECT_WORKER_ALLOWED_JOB_VARIABLES": "user",
                    ]))
            for (run, text) in [(run, "status code 3"), (other, "'user' needs the system's service manager")] {
                let crash = try await systemd.waitForRun(run, toBe: ["Crashed"])
                #expect(crash["state"]?["message"]?.stringValue?.contains(text) == true, "\(crash["state"] ?? .null)")
            }
            #expect(systemd.notes("place").first?.hasPrefix("\(systemd.home)/.cache/prefect-run/") == true)
        }
    }

    @Test("a pool that a worker creates has the template, and check reports whether the worker can start units")
    func poolAndCheck() async throws {
        try await withSystemdBench(type: "systemd") { systemd in
            let server = systemd.bench.server
            try await server.deletePool(systemd.bench.pool)
            try await systemd.start(systemd.unit(["--type", "systemd", "--python", "none"]))
            try await eventually(within: .seconds(30), "the pool has a template") {
                let template = try await server.pool(systemd.bench.pool)["base_job_template"]
                return template?["job_configuration"]?["memory_max"] == "{{ memory_max }}"
            }
            #expect(try await server.pool(systemd.bench.pool)["type"] == "systemd")
            let variables = systemd.environment().map { "\($0.key)=\($0.value)" }
            func check(_ words: [String], _ more: [String] = []) async throws -> WorkerProgram.Outcome {
                try await systemd.machine.outcome(
                    ["env"] + variables + more + words + [systemd.program, "check", "--type", "systemd"])
            }
            let good = try await check([])
            #expect(good.status == .exited(0) && good.text.contains("starts units for this worker"), "\(good.text)")
            let nobody = ["setpriv", "--reuid=65534", "--clear-groups"]
            let home = ["PREFECT_HOME=/nonexistent", "HOME=/nonexistent"]
            let denied = try await check(nobody, home + ["PREFECT_WORKER_SYSTEMD_MANAGER=system"])
            #expect(denied.status == .exited(1) && denied.text.contains("polkit rule"), "\(denied.text)")
            let alone = try await check(nobody, home)
            #expect(alone.status == .exited(1) && alone.text.contains("enable-linger"), "\(alone.text)")
        }
    }
}
