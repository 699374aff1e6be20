import PrefectJSON
import TestSupport
import Testing

@Suite("Recovery of systemd units", .requires(.prefectServer), .systemdMachine, .oneOnMachine, .bounded)
struct SystemdRecoveryTests {
    @Test("runs continue when the worker is restarted or killed, and missed ends are reported with their exit codes")
    func restarts() async throws {
        try await withSystemdBench(type: "systemd") { systemd in
            let server = systemd.bench.server
            let wait = "while [ ! -e \"$OUT/$NAME-end\" ]; do sleep 0.1; done"
            func lasting(_ name: String, _ code: Int) async throws -> String {
                try await systemd.shell("NAME=\(name); echo begin >>\"$OUT/\(name)\"; \(wait); exit \(code)")
            }
            let restarted = try await lasting("restarted", 5)
            let missed = try await lasting("missed", 6)
            let killed = try await lasting("killed", 8)
            try await systemd.start(
                systemd.unit(
                    ["--type", "systemd", "--python", "none"], directives: ["Restart=always", "RestartSec=100ms"]))
            for run in [restarted, missed, killed] {
                try await eventually(within: .seconds(60), "the server has the run's unit") {
                    try await server.flowRun(run)["infrastructure_pid"]?.stringValue != nil
                }
            }
            try await systemd.machine.run("systemctl", "restart", systemd.service)
            try systemd.write("restarted-end", "")
            var crash = try await systemd.waitForRun(restarted, toBe: ["Crashed"])
            #expect(crash["state"]?["message"]?.stringValue?.contains("status code 5") == true)

            try await systemd.machine.run("systemctl", "stop", systemd.service)
            try systemd.write("missed-end", "")
            let unit = "prefect-run-\(missed)*"
            try await eventually(within: .seconds(30), "the unit is gone", every: .milliseconds(200)) {
                try await systemd.machine.run("systemctl", "list-units", "--all", "--quiet", unit) == []
            }
            #expect(try await server.flowRun(missed)["state_name"] != "Crashed")
            try await systemd.machine.run("systemctl", "start", systemd.service)
            crash = try await systemd.waitForRun(missed, toBe: ["Crashed"])
            #expect(crash["state"]?["message"]?.stringValue?.contains("status code 6") == true)

            try await systemd.machine.run("systemctl", "kill", "--signal=KILL", systemd.service)
            try systemd.write("killed-end", "")
            crash = try await systemd.waitForRun(killed, toBe: ["Crashed"])
            #expect(crash["state"]?["message"]?.stringValue?.contains("status code 8") == true)
            for name in ["restarted", "missed", "killed"] { #expect(systemd.notes(name) == ["begin"]) }
            try await eventually(within: .seconds(20), "no unit directory remains") { systemd.directories().isEmpty }
        }
    }

    @Test("a worker that is killed at any time runs each of its runs exactly once")
    func killedOften() async throws {
        try await withSystemdBench(type: "systemd") { systemd in
            let deployment = try await systemd.bench.deploy(
                command: "/bin/sh -c 'echo $PREFECT__FLOW_RUN_ID >>\(systemd.home)/begun; sleep 0.5; exit 4'")
            try await systemd.start(
                systemd.unit(
                    ["--type", "systemd", "--python", "none"],
                    variables: ["PREFECT_WORKER_QUERY_SECONDS": "0.2"],
                    directives: ["Restart=always", "RestartSec=1ms", "StartLimitBurst=1000"]))
            var random = FuzzRandom(seed: UInt64.random(in: 0...UInt64.max))
            var runs: [String] = []
            for _ in 0..<12 {
                runs.append(try await systemd.bench.server.createRun(deployment: deployment))
                try await Task.sleep(for: .milliseconds(150 + random.below(900)))
                try await systemd.machine.run("systemctl", "kill", "--signal=KILL", systemd.service)
            }
            do {
                try await eventually(within: .seconds(90), "all runs have crashed", every: .milliseconds(300)) {
                    try await systemd.bench.count(ofStates: ["CRASHED"]) == 12
                }
            } catch {
                throw Explained(error: error, detail: try await systemd.report())
            }
            // Two kills in a row during the start of a run's unit make the worker give that run up.
            let givenUp = try await systemd.bench.givenUp(runs)
            #expect(givenUp.count < runs.count)
            let begun = systemd.notes("begun")
            let counts = Dictionary(runs.map { run in (run, begun.filter { $0 == run }.count) }) { $1 }
            for (run, count) in counts where count > 1 || count == 0 && !givenUp.contains(run) {
                let message = try await systemd.bench.server.flowRun(run)["state"]?["message"]?.stringValue ?? ""
                let lines = try await systemd.lines().filter { $0.contains(run) }
                Issue.record("\(run) ran \(count) times: \(message)\n\(lines.joined(separator: "\n"))")
            }
            do {
                try await eventually(within: .seconds(20), "no unit directory remains") {
                    systemd.directories().isEmpty
                }
            } catch {
                throw Explained(error: error, detail: "\(systemd.directories())\n\(try await systemd.report())")
            }
        }
    }

    @Test("a reload or a re-execution of the service manager ends no run")
    func reload() async throws {
        try await withSystemdBench(type: "systemd") { systemd in
            let run = try await systemd.shell("while [ ! -e \"$OUT/end\" ]; do sleep 0.1; done; exit 3")
            try await systemd.start(systemd.unit(["--type", "systemd", "--python", "none"]))
            try await eventually(within: .seconds(40), "the server has the run's unit") {
                try await systemd.bench.server.flowRun(run)["infrastructure_pid"]?.stringValue != nil
            }
            try await systemd.machine.run("systemctl", "daemon-reload")
            try await systemd.machine.run("systemctl", "daemon-reexec")
            try await systemd.machine.run("systemctl", "daemon-reload")
            #expect(try await systemd.bench.server.flowRun(run)["state_name"] != "Crashed")
            try systemd.write("end", "")
            let crash = try await systemd.waitForRun(run, toBe: ["Crashed"])
            #expect(crash["state"]?["message"]?.stringValue?.contains("status code 3") == true)
        }
    }

    @Test("while the bus is unavailable no run is claimed or reported as ended, and later the missed ends are reported")
    func busAway() async throws {
        try await withSystemdBench(type: "systemd") { systemd in
            let server = systemd.bench.server
            let first = try await systemd.shell("while [ ! -e \"$OUT/end\" ]; do sleep 0.1; done; exit 3")
            try await systemd.start(systemd.unit(["--type", "systemd", "--python", "none"]))
            try await eventually(within: .seconds(40), "the server has the run's unit") {
                try await server.flowRun(first)["infrastructure_pid"]?.stringValue != nil
            }
            do {
                try await systemd.machine.run("systemctl", "stop", "dbus.socket", "dbus.service")
                try await systemd.waitForLine(containing: "The system's service manager is unavailable")
                let second = try await systemd.shell("exit 4")
                try systemd.write("end", "")
                try await eventually(within: .seconds(20), "the unit is gone", every: .milliseconds(200)) {
                    try await systemd.unit(of: first) == nil
                }
                // A worker that could start runs would do so within this time.
                try await Task.sleep(for: .seconds(4))
                #expect(try await server.flowRun(first)["state_name"] != "Crashed")
                #expect(try await server.flowRun(second)["state_type"] == "SCHEDULED")
                try await systemd.machine.run("systemctl", "start", "dbus.socket", "dbus.service")
                try await systemd.waitForLine(containing: "The system's service manager is available again")
                for (run, code) in [(first, 3), (second, 4)] {
                    let crash = try await systemd.waitForRun(run, toBe: ["Crashed"])
                    #expect(crash["state"]?["message"]?.stringValue?.contains("status code \(code)") == true)
                }
            } catch {
                _ = try await systemd.machine.outcome(["systemctl", "start", "dbus.socket", "dbus.service"])
                throw error
            }
        }
    }
}
