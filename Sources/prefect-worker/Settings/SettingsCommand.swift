import ArgumentParser
import FoundationEssentials
import PrefectClient
import PrefectJSON

/// `prefect-worker settings`: shows all settings with their values and sources.
struct SettingsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings",
        abstract: "Show every setting that the worker reads, with its value and its source; secrets are masked.")

    @ParentCommand var root: RootCommand
    @OptionGroup var common: CommonOptions

    @Flag(help: "Print the documentation page of all flags and settings, in Markdown.")
    var markdown = false

    @Flag(help: "Print the man page of this program.")
    var man = false

    func run() throws {
        if markdown || man {
            // The page must not depend on the host that prints it.
            let catalog = SettingsCatalog(
                try PrefectSettings.load(environment: ["HOME": "/"], workingDirectory: "/"), environment: [:])
            let commands = try CommandHelp.all()
            let page =
                man
                ? ManPage(catalog: catalog, commands: commands).text
                : SettingsPage(catalog: catalog, commands: commands).text
            print(page, terminator: "")
            return
        }
        let settings = try common.loadSettings(rootProfile: root.profile)
        for warning in settings.warnings { print("Warning: \(warning)") }
        let catalog = SettingsCatalog(settings, environment: ProcessInfo.processInfo.environment)
        print("Profile: \("\(settings.profileName) (\(settings.profilesFile))".onOneLine)\n")
        show(catalog.sections.flatMap(\.settings), settings)
        guard !catalog.handedOn.isEmpty else { return }
        print("\nPassed on to flow runs; the worker itself does not use them:\n")
        show(catalog.handedOn, settings)
    }

    private func show(_ settings: [KnownSetting], _ prefect: PrefectSettings) {
        let redactor = prefect.redactor
        for setting in settings {
            let value = redactor.redact(setting.value ?? "").onOneLine
            print(Self.line(setting.variables[0], value.isEmpty ? "-" : value))
            guard let source = setting.source else { continue }
            let isOwn = source == SettingSource.environment(variable: setting.variables[0]).description
            print(Self.indent + (isOwn ? "set in the environment" : "set by \(source.onOneLine)"))
        }
    }

    private static let indent = "    "

    /// Returns a name and a value, on one line if both fit a terminal of 80 columns.
    private static func line(_ name: String, _ value: String) -> String {
        let line = "\(name)\(String(repeating: " ", count: max(0, 44 - name.count)))  \(value)"
        return line.count <= 80 ? line : "\(name)\n\(indent)\(value)"
    }
}
