import ArgumentParser
import BackendKit
import JobTemplates
import PrefectJSON
import WorkerKit

/// `prefect-worker template`: prints the template for a new pool.
struct TemplateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template", abstract: "Print the default base job template of a type of work pool as JSON.")

    @Argument(help: "The type of work pool, like process.", completion: .list(Backends.types))
    var type: String

    func run() throws {
        guard let template = Backends.backend(ofType: type)?.traits.baseJobTemplate else {
            throw Refusal(
                "There is no template for the type '\(type)'; the types are: \(Backends.types.joined(separator: ", "))")
        }
        print(template.json.serialized(.pretty))
    }
}
