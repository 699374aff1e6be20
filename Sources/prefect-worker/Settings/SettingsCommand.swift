import ArgumentParser
import FoundationEssentials
import PrefectAPI

/// `prefect-worker settings`: what can be set, what is, and by what.
struct SettingsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings",
        abstract: "Show every setting that the worker reads, with its value and what has set it; secrets are masked.")

    @ParentCommand var root: PrefectWorker
    @OptionGroup var common: CommonOptions

    @Flag(help: "Print the page of all flags and settings in Markdown, as it stands in the documentation.")
    var markdown = false

    func run() throws {
        if markdown {
            // Nothing of where it is printed.
            let catalog = SettingsCatalog(
                try PrefectSettings.load(environment: ["HOME": "/"], workingDirectory: "/"), environment: [:])
            print(SettingsPage(catalog: catalog, commands: try CommandHelp.all()).text, terminator: "")
            return
        }
        let settings = try common.loadSettings(rootProfile: root.profile)
        for warning in settings.warnings { print("Warning: \(warning)") }
        let catalog = SettingsCatalog(settings, environment: ProcessInfo.processInfo.environment)
        print("Profile: \(settings.profileName) (\(settings.profilesFile))\n")
        show(catalog.sections.flatMap(\.settings), settings)
        guard !catalog.handedOn.isEmpty else { return }
        print("\nHanded on to flow runs; the worker does nothing else with them:\n")
        show(catalog.handedOn, settings)
    }

    private func show(_ settings: [KnownSetting], _ prefect: PrefectSettings) {
        let redactor = prefect.redactor
        let rows =
            [["SETTING", "VALUE", "SET BY"]]
            + settings.map { setting in
                let value = redactor.redact(setting.value ?? "").onOneLine
                return [setting.variables[0], value.isEmpty ? "-" : value, setting.source ?? "default"]
            }
        // A value may be of any length; most are short.
        let widths = [rows.map(\.[0].count).max() ?? 0, rows.map { min($0[1].count, 40) }.max() ?? 0]
        for row in rows {
            let cells = zip(row, widths).map {
                $0 + String(repeating: " ", count: max(0, $1 - $0.count)) + "  "
            }
            print(cells.joined() + row[2])
        }
    }
}

extension String {
    fileprivate var onOneLine: String { split(whereSeparator: \.isNewline).joined(separator: " ") }
}
