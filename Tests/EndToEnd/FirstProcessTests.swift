import Foundation
import Glibc
import PrefectJSON
import TestSupport
import Testing

@Suite("The worker as the first process of a container", .requires(.prefectServer), .bounded)
struct FirstProcessTests {
    /// Whether this machine permits process namespaces.
    private static func isPermitted() async -> Bool {
        let status = try? await withChildProcess("unshare", ["--pid", "--fork", "--mount-proc", "true"]) {
            try await $0.waitForExit()
        }
        return status == .exited(0)
    }

    /// The proportional set size of a process in kB: its own memory, and its part of shared memory.
    private static func proportionalMemory(of process: Int32) throws -> Int? {
        let text = try String(contentsOfFile: "/proc/\(process)/smaps_rollup", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("Pss:") }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
    }

    @Test(
        "the first process is small, reaps orphans, hides no exit code, and exits with the worker's status",
        .enabled("needs the right to make process namespaces", isPermitted))
    func reaps() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let namespace = ["--pid", "--fork", "--kill-child", "--mount-proc"]
            // The process `sleep` ends while its parent, which does not wait for it, still runs.
            let script = try bench.script(
                "leave", "sleep 0.2 &\nexec python3 -c 'import os, time; time.sleep(1); os._exit(3)'")
            try await withChildProcess(
                "unshare", namespace + [WorkerProgram.path] + bench.arguments(), environment: bench.environment(),
                workingDirectory: bench.directory
            ) { child in
                try await child.waitForLine(containing: "started!")
                let first = try #require(ProcessTable.children(of: child.processID).first?.process)
                let worker = try #require(ProcessTable.children(of: first).first?.process)
                let memory = try #require(try Self.proportionalMemory(of: first))
                #expect(memory < 512, "the first process has \(memory) kB")
                for _ in 0..<3 {
                    let run = try await server.createRun(deployment: bench.deploy(command: script))
                    let crash = try await server.waitForRun(run, toBe: ["Crashed", "Completed"])
                    let message = crash["state"]?["message"]?.stringValue ?? ""
                    #expect(message.contains("status code 3"), "\(message)")
                }
                try await eventually("only the worker's processes remain") {
                    ProcessTable.children(of: first).map(\.process) == [worker]
                        && ProcessTable.children(of: worker).isEmpty
                }
                kill(first, SIGTERM)
                let status = try await child.waitForExit(timeout: .seconds(30))
                #expect(status == .exited(0))
                #expect(child.lines.contains { $0.text.contains("stopped!") })
            }
        }
    }
}
