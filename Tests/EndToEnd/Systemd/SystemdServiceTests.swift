import TestSupport
import Testing

@Suite("The worker as a service", .requires(.prefectServer), .systemdMachine, .bounded)
struct SystemdServiceTests {
    @Test("a worker that systemd has started runs flows, and leaves when systemd says so")
    func service() async throws {
        try await withSystemdBench { systemd in
            let run = try await systemd.shell("echo it ran >\"$OUT/note\"; exit 3")
            try await systemd.start(systemd.unit(["--python", "none"]))
            try await systemd.waitForRun(run, toBe: ["Crashed"])
            #expect(systemd.notes("note") == ["it ran"])
            try await systemd.machine.run("systemctl", "stop", systemd.service)
            #expect(try await systemd.machine.property("Result", of: systemd.service) == "success")
        }
    }
}
