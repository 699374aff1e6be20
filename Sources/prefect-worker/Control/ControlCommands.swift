import ArgumentParser
import HTTPTransport
import PrefectClient
import PrefectJSON
import PrefectREST
import WorkerKit

/// A command that changes running workers of this host through their control sockets.
protocol ControlCommand: AsyncParsableCommand {
    var root: RootCommand { get }
    var common: CommonOptions { get }
    var selection: WorkerSelection { get }
    var all: Bool { get }
    /// The query of the request.
    var query: [(name: String, value: String)] { get }
    /// Whether the command returns only when the workers have ended.
    var waits: Bool { get }
}

extension ControlCommand {
    var query: [(name: String, value: String)] { [] }
    var waits: Bool { false }

    func run() async throws {
        let settings = try common.loadSettings(rootProfile: root.profile)
        let selected = try await selection.select(settings, canBeSeveral: all)
        var failures = selected.silent
        for worker in selected.workers {
            do throws(Refusal) {
                let answer = try await worker.send(.post, "/\(Self.configuration.commandName ?? "")", query: query)
                print("\(worker.description): \(answer["message"]?.stringValue ?? "")".escapedForTerminal())
            } catch {
                failures.append(error)
            }
        }
        if waits { for worker in selected.workers { try await worker.waitForEnd() } }
        guard failures.isEmpty else { throw Refusal(failures.map(\.description).joined(separator: "; ")) }
    }
}

/// `prefect-worker pause`: lets a running worker claim no more runs.
struct PauseCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Let a running worker of this host claim no more flow runs until it is resumed.",
        discussion: """
            Runs in flight continue, with their heartbeats and cancellations, and the worker stays online in its work \
            pools. A worker that is started again is not paused.
            """)

    @ParentCommand var root: RootCommand
    @OptionGroup var common: CommonOptions
    @OptionGroup var selection: WorkerSelection
    @Flag(help: "Pause all workers of this host.")
    var all = false
}

/// `prefect-worker resume`: undoes a pause.
struct ResumeCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Let a paused worker of this host claim flow runs again.")

    @ParentCommand var root: RootCommand
    @OptionGroup var common: CommonOptions
    @OptionGroup var selection: WorkerSelection
    @Flag(help: "Resume all workers of this host.")
    var all = false
}

/// `prefect-worker drain`: ends a worker after its last run.
struct DrainCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Let a running worker of this host claim no more flow runs, and exit when its last run has ended.",
        discussion: """
            The command returns at once, unless --wait is given. The worker waits for all of its runs, also for those in containers, jobs and \
            units, and exits with status 0.
            """)

    @ParentCommand var root: RootCommand
    @OptionGroup var common: CommonOptions
    @OptionGroup var selection: WorkerSelection
    @Flag(help: "Drain all workers of this host.")
    var all = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How long to wait before process runs are stopped, and the others are no longer watched. Default: as long as "
                + "they take.",
            valueName: "seconds"))
    var timeout: Double?

    @Flag(help: "Return only when the worker has ended.")
    var wait = false

    var waits: Bool { wait }
    var query: [(name: String, value: String)] { timeout.map { [("timeout", "\($0)")] } ?? [] }

    func validate() throws {
        guard let timeout, !(0...Duration.longestPause).contains(timeout) else { return }
        throw ValidationError("--timeout must be a number of seconds from 0 to 1000000000, not \(timeout)")
    }
}
