import ArgumentParser
import BackendKit
import JobTemplates
import PrefectClient
import PrefectJSON
import WorkerKit

/// `prefect work-pool`: the commands that charts and entrypoints call before a worker starts.
struct WorkPoolCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "work-pool", abstract: "Inspect, create or update a work pool, like `prefect work-pool`.",
        shouldDisplay: false,
        subcommands: [WorkPoolInspectCommand.self, WorkPoolCreateCommand.self, WorkPoolUpdateCommand.self],
        aliases: ["work-pools"])

    /// The names of the subcommands.
    static let names = ["inspect", "create", "update"]

    @ParentCommand var root: RootCommand

    /// Ends the command as `prefect` does: the reason on standard output, and exit status 1.
    static func refuse(_ reason: String) -> any Error {
        print(reason.escapedForTerminal())
        return ExitCode.failure
    }

    /// Reads the base job template of a file.
    static func template(_ path: String) throws -> JSONObject {
        let json = try JSONFile.read(path, what: "The base job template")
        guard let template = json.objectValue else {
            throw Refusal("The base job template '\(path)' is not a JSON object; write the template as an object")
        }
        return template
    }
}

/// `prefect work-pool inspect`: its exit status reports whether a pool exists.
struct WorkPoolInspectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Print a work pool as JSON. The exit status is 1 if there is no such pool.")

    @ParentCommand var group: WorkPoolCommand
    @OptionGroup var common: CommonOptions

    @Argument(help: "The name of the work pool.")
    var name: String

    @Option(name: .shortAndLong, help: ArgumentHelp("The format: json.", valueName: "format"))
    var output: String?

    func run() async throws {
        if let output, output.lowercased() != "json" {
            throw WorkPoolCommand.refuse("Only 'json' output format is supported.")
        }
        let client = try APIClient(settings: common.loadSettings(rootProfile: group.root.profile))
        do {
            print(try await client.readWorkPool(named: name).jsonValue.serialized(.pretty))
        } catch let error as APIError where error.isNotFound {
            throw WorkPoolCommand.refuse("Work pool '\(name)' not found!")
        }
    }
}

/// `prefect work-pool create`: creates a pool with the template of its type or of a file.
struct WorkPoolCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a work pool, or replace its template with --overwrite.")

    @ParentCommand var group: WorkPoolCommand
    @OptionGroup var common: CommonOptions

    @Argument(help: "The name of the work pool.")
    var name: String

    @Option(name: .shortAndLong, help: "The type of the pool.", completion: .list(Backends.types))
    var type: String?

    @Option(help: ArgumentHelp("A JSON file with the base job template.", valueName: "file"), completion: .file())
    var baseJobTemplate: String?

    @Flag(inversion: .prefixedNo, help: "Create the pool in a paused state.")
    var paused = false

    @Flag(inversion: .prefixedNo, help: "Change an existing pool of this name.")
    var overwrite = false

    func run() async throws {
        guard name.contains(where: { !"'\" ".contains($0) }) else {
            throw WorkPoolCommand.refuse("Work pool name cannot be empty.")
        }
        let template = try baseJobTemplate.map(WorkPoolCommand.template)
        let client = try APIClient(settings: common.loadSettings(rootProfile: group.root.profile))
        let existing = try await found(client)
        if existing != nil, !overwrite { throw exists }
        guard let type = existing?.type ?? type else {
            throw WorkPoolCommand.refuse("A new work pool needs a `--type` value.")
        }
        guard let backend = Backends.backend(ofType: type) else {
            throw WorkPoolCommand.refuse(
                "Unknown work pool type '\(type)'. Please choose from \(Backends.types.joined(separator: ", ")).")
        }
        let pool = WorkPoolCreate(name: name) {
            $0.type = type
            $0.baseJobTemplate = template ?? backend.traits.baseJobTemplate.json.objectValue
            $0.isPaused = paused
        }
        do {
            report(try await client.createWorkPool(pool, replacing: overwrite), isNew: existing == nil)
        } catch let error as APIError where error.isConflict {
            throw exists
        }
    }

    private var exists: any Error {
        WorkPoolCommand.refuse("Work pool named '\(name)' already exists. Use --overwrite to update it.")
    }

    private func found(_ client: APIClient) async throws -> WorkPool? {
        do {
            return try await client.readWorkPool(named: name)
        } catch let error as APIError where error.isNotFound {
            return nil
        }
    }

    private func report(_ pool: WorkPool, isNew: Bool) {
        let lines = [
            "\(isNew ? "Created" : "Updated") work pool '\(pool.name)'!", "", "└── UUID: \(pool.id.text)",
            "└── Type: \(pool.type)", "└── Description: \(pool.description ?? "None")",
        ]
        print(lines.map { $0.escapedForTerminal() }.joined(separator: "\n"))
    }
}

/// `prefect work-pool update`: changes what its options name.
struct WorkPoolUpdateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Change the base job template, limit or description of a work pool.")

    @ParentCommand var group: WorkPoolCommand
    @OptionGroup var common: CommonOptions

    @Argument(help: "The name of the work pool.")
    var name: String

    @Option(help: ArgumentHelp("A JSON file with the base job template.", valueName: "file"), completion: .file())
    var baseJobTemplate: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("The maximum number of runs in flight.", valueName: "runs"))
    var concurrencyLimit: Int?

    @Option(parsing: .unconditional, help: ArgumentHelp("The description of the pool.", valueName: "text"))
    var description: String?

    func run() async throws {
        let template = try baseJobTemplate.flatMap { $0.isEmpty ? nil : try WorkPoolCommand.template($0) }
        let changes = WorkPoolUpdate {
            if let template { $0.baseJobTemplate = template }
            if let concurrencyLimit { $0.concurrencyLimit = concurrencyLimit }
            if let description, !description.isEmpty { $0.description = description }
        }
        let client = try APIClient(settings: common.loadSettings(rootProfile: group.root.profile))
        do {
            try await client.updateWorkPool(named: name, changes)
        } catch let error as APIError where error.isNotFound {
            throw WorkPoolCommand.refuse("Work pool named '\(name)' does not exist.")
        }
        print("Updated work pool '\(name)'".escapedForTerminal())
    }
}
