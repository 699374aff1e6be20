import ArgumentParser
import PrefectClient
import PrefectJSON

/// `prefect version`: the version of Prefect that this program is compatible with, in the form of `prefect`.
struct PrefectVersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print versions, like `prefect version`.", shouldDisplay: false)

    @ParentCommand var root: RootCommand
    @OptionGroup var common: CommonOptions

    @Flag(help: "Accepted for compatibility: this program has no integrations.")
    var omitIntegrations = false

    @Flag(help: "Print only the version of Prefect, like `prefect --version`.")
    var number = false

    func run() throws {
        if number { return print(APIClient.prefectVersion) }
        let settings = try common.loadSettings(rootProfile: root.profile)
        let rows = [
            ("Version:", APIClient.prefectVersion), ("API version:", APIClient.apiVersion),
            ("Worker:", "prefect-worker \(RootCommand.version)"), ("Profile:", settings.profileName),
        ]
        for (name, value) in rows {
            print("\(name)\(String(repeating: " ", count: max(1, 22 - name.count)))\(value.escapedForTerminal())")
        }
    }
}
