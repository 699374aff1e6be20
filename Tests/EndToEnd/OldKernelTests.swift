import PrefectJSON
import TestSupport
import Testing

@Suite("A worker on a kernel without openat2", .requires(.prefectServer), .compiler, .bounded)
struct OldKernelTests {
    /// The changes that a run makes in its own directory, as Python code.
    private enum Trick: String, CaseIterable {
        case none = "pass"
        case fifo = "os.remove('progress'); os.mkfifo('progress')"
        case link = "os.remove('progress'); os.symlink('/dev/zero', 'progress')"
        case outputIsElsewhere = "os.rename('output', 'old'); os.symlink('/dev', 'output')"
    }

    @Test("a worker runs a flow, and runs that replace their own files do no harm, also over a restart")
    func runs() async throws {
        try await withTestBench { bench in
            let shim = try await bench.compileShared("no_openat2")
            let variables = ["LD_PRELOAD": shim, "OPENAT2_ASKED": "\(bench.directory)/asked"]
            let flow = try await bench.server.createRun(
                deployment: bench.deploy("succeed"), parameters: ["word": "swordfish"])
            var tricks: [String] = []
            for trick in Trick.allCases {
                let program = try bench.write(
                    "\(trick).py",
                    """
                    import os, sys, time
                    os.chdir(os.environ['PREFECT__WORKER_RUN_DIRECTORY'])
                    # The worker creates the file after the start.
                    while not os.path.exists('progress'): time.sleep(0.01)
                    \(trick.rawValue)
                    print('played \(trick)', flush=True)
                    with open('\(bench.directory)/\(trick)', 'w') as note: note.write('played')
                    while not os.path.exists('\(bench.directory)/go'): time.sleep(0.05)
                    sys.exit(3)
                    """)
                tricks.append(
                    try await bench.server.createRun(deployment: bench.deploy(command: "python \(program)")))
            }
            let arguments = ["--detach-on-exit"]
            try await bench.withWorker(arguments, variables: variables) { worker in
                try await bench.server.waitForRun(flow, toBe: ["Completed"], within: .seconds(90))
                try await worker.waitForLine(containing: "printed swordfish")
                try await worker.waitForLine(containing: "played none")
                for trick in Trick.allCases { try await bench.waitForNotes("\(trick)") }
            }
            #expect(bench.notes("asked") == ["yes"])
            try await bench.withWorker(arguments, variables: variables) { _ in
                try bench.write("go", "")
                for run in tricks { try await bench.server.waitForRun(run, toBe: ["Crashed"], within: .seconds(90)) }
                try await eventually(
                    within: .seconds(60), "no row and no run directory remains", every: .milliseconds(200)
                ) {
                    try await bench.remains() == []
                }
            }
        }
    }
}
