import ArgumentParser
import BackendKit
import Glibc
import JobTemplates
import OrderedCollections
import PrefectClient
import PrefectJSON
import WorkerKit

/// `prefect-worker template`: prints the template for a new pool, and compares or replaces that of an existing pool.
struct TemplateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template",
        abstract: "Print the default base job template of a type of work pool as JSON, or put it into a work pool.",
        discussion: """
            With --diff, the command compares the template of an existing pool with it. The exit status is 0 if they are \
            the same, 1 if they differ, and 2 after an error. With --apply, the command shows these differences and \
            updates the pool. If values of the pool would be lost, it asks first; without a terminal, it needs --yes.
            """)

    @ParentCommand var root: RootCommand
    @OptionGroup var common: CommonOptions

    @Argument(help: "The type of work pool, like process.", completion: .list(Backends.types))
    var type: String?

    @Option(
        help: ArgumentHelp("A JSON file with a base job template, in place of the type's.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var file: String?

    @Flag(help: "Show how the template of --pool would change.")
    var diff = false

    @Flag(help: "Replace the template of --pool.")
    var apply = false

    @Option(name: .shortAndLong, help: ArgumentHelp("The work pool for --diff and --apply.", valueName: "pool"))
    var pool: String?

    @Flag(name: .shortAndLong, help: "With --apply, do not ask before values of the pool are lost.")
    var yes = false

    func validate() throws {
        if (type == nil) == (file == nil) {
            throw ValidationError("Name a type of work pool, like process, or a file with --file")
        }
        if diff, apply {
            throw ValidationError("--diff and --apply exclude each other; --apply shows the differences, too")
        }
        if diff || apply, pool == nil { throw ValidationError("\(diff ? "--diff" : "--apply") needs --pool") }
        if pool != nil, !diff, !apply { throw ValidationError("--pool needs --diff or --apply") }
    }

    func run() async throws {
        guard let pool else { return print(try template().serialized(.pretty)) }
        do {
            try await run(on: pool)
        } catch let error where diff && !(error is ExitCode) {
            // The status 1 means a difference.
            Terminal.writeError("Error: \("\(error)".escapedForTerminal())\n")
            throw ExitCode(2)
        }
    }

    private func run(on name: String) async throws {
        try ServingPlan.checkPoolName(name, of: "--pool")
        let template = try template()
        let client = try APIClient(settings: common.loadSettings(rootProfile: root.profile))
        let pool: WorkPool
        do {
            pool = try await client.readWorkPool(named: name)
        } catch let error as APIError where error.isNotFound {
            throw Refusal("There is no work pool '\(name)'; a worker creates it: prefect-worker start --pool '\(name)'")
        }
        if let type, pool.type != type {
            throw Refusal("Work pool '\(name)' has the type '\(pool.type)', not '\(type)'; name that type")
        }
        let current = JSONValue.object(pool.baseJobTemplate)
        let differences = UnifiedDiff.lines(
            from: current.sortedLines, named: "work pool \(name)", to: template.sortedLines,
            named: file ?? "type \(pool.type)")
        for line in differences { print(line.escapedForTerminal()) }
        if diff, !differences.isEmpty { throw ExitCode.failure }
        guard apply else { return }
        guard !differences.isEmpty else { return print("The template of work pool '\(name)' is already the same.") }
        try confirm(current.values(lostIn: template), in: name)
        try await client.updateWorkPool(
            named: name, WorkPoolUpdate { $0.baseJobTemplate = template.objectValue ?? [:] })
        print("The template of work pool '\(name)' has been updated.")
    }

    private func template() throws -> JSONValue {
        if let file {
            let json = try JSONFile.read(file, what: "The base job template")
            do {
                _ = try BaseJobTemplate(json: json)
            } catch {
                throw Refusal("The base job template '\(file)' cannot be used: \(error)")
            }
            return json
        }
        guard let type, let template = Backends.backend(ofType: type)?.traits.baseJobTemplate else {
            throw Refusal(
                "There is no template for the type '\(type ?? "")'; the types are: \(Backends.types.joined(separator: ", "))"
            )
        }
        return template.json
    }

    /// Makes sure that the user wants to lose these values.
    private func confirm(_ lost: [String], in pool: String) throws {
        guard !lost.isEmpty, !yes else { return }
        let names = lost.prefix(3).joined(separator: ", ") + (lost.count > 3 ? ", …" : "")
        let count = lost.count == 1 ? "1 value" : "\(lost.count) values"
        let loss = "\(count) of work pool '\(pool)' would be lost or changed (\(names))"
        guard Terminal.isInteractive else { throw Refusal("\(loss); keep them in a file for --file, or add --yes") }
        let answer = Terminal.ask("\(loss.escapedForTerminal()). Continue? [y/N]")?.lowercased()
        guard answer == "y" || answer == "yes" else { throw Refusal("Nothing has been changed") }
    }
}
