import TestSupport
import Testing

@Suite("Credentials from systemd")
struct CredentialTests {
    @Test("a key in a systemd credential is used, and its value is not printed")
    func credentials() async throws {
        try await withTemporaryDirectory { directory in
            try TestFile.write("hush-hush\n", to: "\(directory)/prefect-api-key")
            let environment = WorkerProgram.environment(home: directory, ["CREDENTIALS_DIRECTORY": directory])
            let outcome = try await WorkerProgram.run(["settings"], environment: environment, in: directory)
            func value(_ name: String) -> Substring? {
                outcome.output.first { $0.hasPrefix(name + " ") }?.split(separator: " ").dropFirst().first
            }
            #expect(value("PREFECT_API_KEY") == "********")
            #expect(value("PREFECT_API_AUTH_STRING") == "-")
            #expect(!outcome.text.contains("hush-hush"))
        }
    }
}

@Suite("The worker as a service", .requires(.prefectServer), .systemdMachine, .oneOnMachine, .bounded)
struct SystemdServiceTests {
    @Test("a worker that systemd starts runs flows, and exits successfully when systemd stops it")
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
