import TestSupport
import Testing

@Suite("The end of a command", .bounded)
struct ExitTests {
    @Test("a command ends without exit handlers, which would take locks from threads that still run", .compiler)
    func handlers() async throws {
        try await withTemporaryDirectory { directory in
            let library = try await Preload.compile("exit_handler", in: directory)
            for (arguments, status) in [
                (["template", "process"], 0), (["template", "nothing"], 1), (["--version"], 0),
            ] {
                let environment = WorkerProgram.environment(home: directory, ["LD_PRELOAD": library])
                let outcome = try await WorkerProgram.run(arguments, environment: environment, in: directory)
                #expect(outcome.status == .exited(Int32(status)), "\(arguments): \(outcome.text)")
                #expect(!outcome.text.contains("an exit handler ran"))
                #expect(outcome.text.count > 10)
            }
        }
    }
}
