import Foundation
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

// Each test names `.bounded` itself, so that it waits for the systemd machine before it takes a slot for busy tests.
@Suite("The directory, the code and the environment of a flow", .requires(.prefectServer), .pythonWorker)
struct WorkspaceTests {
    @Test("the Python worker's runs end as the table states, and run their pull steps once", .bounded)
    func peer() async throws {
        let seen = try await PythonColumn.shared.observations()
        for row in try WorkspaceRow.table() {
            let seen = seen[row.name]
            #expect(seen?["end"]?[1]?.stringValue == row.end, "\(row.name)")
            if row.counts { #expect(seen?["steps"] == [1], "\(row.name)") }
            let directory = seen?["flow"]?[0]?["directory"]
            #expect(directory == row.fields["directory"], "\(row.name)")
        }
    }

    @Test(
        "a process pool gives flows the same directory, code and environment as the Python worker, in every row",
        .bounded)
    func processes() async throws {
        let peer = try await PythonColumn.shared.observations()
        let own = try await withTestBench { bench in
            let column = WorkspaceColumn(
                name: "process", rows: try WorkspaceRow.table(), bench: bench, root: bench.directory,
                localRoot: bench.directory,
                workspaces: [
                    WorkspaceColumn.pattern(of: bench.directory) + "/prefect/prefect-worker/[^/]+/runs/[^/]+/work"
                ])
            return try await column.observe { wait in
                try await bench.withWorker(["--limit", "3"], variables: Self.drain) { _ in try await wait() }
            }
        }
        try expect("process", own, toBe: peer)
    }

    @Test(
        "a process pool with warm engines gives flows the same directory, code and environment as the Python worker",
        .bounded)
    func warmProcesses() async throws {
        let peer = try await PythonColumn.shared.observations()
        let own = try await withTestBench { bench in
            let rows = try WorkspaceRow.table()
            let column = WorkspaceColumn(
                name: "warm", rows: rows, bench: bench, root: bench.directory, localRoot: bench.directory,
                workspaces: [
                    WorkspaceColumn.pattern(of: bench.directory) + "/prefect/prefect-worker/[^/]+/runs/[^/]+/work"
                ])
            let variables = Self.drain.merging(Probe.anyPort) { $1 }
            return try await column.observe { wait in
                let arguments = ["--limit", "2", "--warm-engines", "on", "--with-healthcheck"]
                try await bench.withWorker(arguments, variables: variables) { worker in
                    try await wait()
                    let starts = try await Probe(worker).status()["backends"]?[0]?["engine_starts"]
                    // The other rows set variables that the imports read, each in its own way.
                    #expect((starts?["warm"]?.intValue ?? 0) * 4 > rows.count, "\(starts?.serialized() ?? "")")
                }
            }
        }
        try expect("warm", own, toBe: peer)
    }

    @Test(
        "a systemd pool gives flows the same directory, code and environment as the Python worker", .systemdMachine,
        .systemdPython, .oneOnMachine,
        .bounded)
    func units() async throws {
        let python = try #require(SystemdMachine.python)
        let peer = try await PythonColumn.shared.observations()
        let own = try await withSystemdBench(type: "systemd") { systemd in
            let hasGit = systemd.machine.exists("/usr/bin/git")
            let rows = try WorkspaceRow.table(without: "systemd").filter { hasGit || $0.fields["repository"] == nil }
            let column = WorkspaceColumn(
                name: "systemd", rows: rows, bench: systemd.bench, root: systemd.home,
                localRoot: systemd.machine.path(systemd.home),
                workspaces: ["/var/cache/prefect-run/prefect-run-[^/]+/work"])
            return try await column.observe { wait in
                try await systemd.start(
                    systemd.unit(["--type", "systemd", "--python", python, "--limit", "3"], variables: Self.drain))
                do {
                    try await wait()
                } catch {
                    throw Explained(error: error, detail: try await systemd.report())
                }
                try await systemd.machine.run("systemctl", "stop", systemd.service)
            }
        }
        try expect("systemd", own, toBe: peer)
    }

    @Test(
        "a Docker pool gives flows the same directory, code and environment as the Python worker", .requires(.docker),
        .dockerImages,
        .bounded)
    func containers() async throws {
        let peer = try await PythonColumn.shared.observations()
        let rows = try WorkspaceRow.table(without: "docker")
        let own = try await withDockerBench { docker in
            let column = WorkspaceColumn(
                name: "docker", rows: rows, bench: docker.bench,
                root: docker.bench.directory, localRoot: docker.bench.directory,
                workspaces: ["/tmp/prefect-flow-run-[^/:]+"],
                variables: [
                    "image": "prefect:lab", "volumes": [docker.mount], "env": ["HOME": .string(docker.bench.directory)],
                ])
            return try await column.observe { wait in
                try await docker.withWorker(["--limit", "3"], variables: Self.drain) { _ in try await wait() }
            }
        }
        try expect("docker", own, toBe: peer)
    }

    /// The drain timeout lets a worker complete the work on its runs after SIGTERM.
    private static let drain = ["PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS": "60"]

    /// Records each row with a difference from the Python worker, and each expected difference that was not found.
    private func expect(
        _ name: String, _ own: WorkspaceColumn.Observations, toBe peer: WorkspaceColumn.Observations
    ) throws {
        for row in try WorkspaceRow.table() {
            guard let own = own[row.name], let peer = peer[row.name] else { continue }
            var differences = WorkspaceColumn.differences(peer, own)
            for place in row.fields["differs"]?[name]?.objectValue?.keys ?? [] {
                let count = differences.count
                differences.removeAll { $0.hasPrefix("\(place):") }
                if differences.count == count { differences.append("\(place): there is no difference") }
            }
            guard !differences.isEmpty else { continue }
            Issue.record(
                "Row \(row.name), the Python worker here, \(name) there:\n  \(differences.joined(separator: "\n  "))")
        }
    }
}

/// The observations of all rows with the Python worker's process pool, made once for all tests.
actor PythonColumn {
    static let shared = PythonColumn()
    private var observing: Task<WorkspaceColumn.Observations, any Error>?

    func observations() async throws -> WorkspaceColumn.Observations {
        let task = observing ?? Task { try await Self.observe() }
        observing = task
        return try await task.value
    }

    private static func observe() async throws -> WorkspaceColumn.Observations {
        let rows = try WorkspaceRow.table()
        return try await withTestBench { bench in
            let column = WorkspaceColumn(
                name: "python", rows: rows, bench: bench, root: bench.directory, localRoot: bench.directory,
                workspaces: [WorkspaceColumn.pattern(of: bench.directory) + "/tmp/tmp[^/:]+prefect"])
            return try await column.observe { wait in
                let arguments = ["worker", "start", "--pool", bench.pool, "--type", "process", "--limit", "3"]
                try await withChildProcess(
                    "prefect", arguments, environment: bench.environment(), workingDirectory: bench.directory
                ) { worker in
                    do {
                        try await wait()
                    } catch {
                        throw Explained(error: error, detail: worker.summary)
                    }
                }
            }
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, with the reason, unless Prefect's own worker can be started.
    static var pythonWorker: Self {
        .enabled("needs Prefect's own program `prefect` in PATH") {
            (try? await withChildProcess("prefect", ["--version"]) { try await $0.waitForExit() }) == .exited(0)
        }
    }
}
