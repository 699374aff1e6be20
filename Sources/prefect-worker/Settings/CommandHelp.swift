import ArgumentParser
import PrefectJSON

/// A command of this program and its flags, as the command line describes itself (`--experimental-dump-help`).
struct CommandHelp {
    struct Argument {
        /// The notation of the argument: `-p, --pool <pool>`.
        let usage: String
        let meaning: String
    }

    let name: String
    let abstract: String
    /// Further explanation; may be empty.
    let discussion: String
    let arguments: [Argument]

    /// Returns all commands except `help`.
    static func all() throws -> [CommandHelp] {
        let dump = try JSONValue(parsing: Array(RootCommand._dumpHelp().utf8))
        let commands = dump["command"]?["subcommands"]?.arrayValue ?? []
        return commands.filter { $0["commandName"] != "help" && $0["shouldDisplay"] != false }.map(CommandHelp.init)
    }

    private init(_ json: JSONValue) {
        name = json["commandName"]?.stringValue ?? ""
        abstract = json["abstract"]?.stringValue ?? ""
        discussion = json["discussion"]?.stringValue ?? ""
        arguments = (json["arguments"]?.arrayValue ?? []).compactMap(Argument.init)
            .filter { !$0.usage.contains("--help") && !$0.usage.contains("--version") }
            .reduce(into: []) { arguments, next in
                // A flag and its inversion share one meaning.
                if let last = arguments.last, next.usage == last.usage.replacing("--", with: "--no-") {
                    arguments[arguments.count - 1] = Argument(
                        usage: "\(last.usage), \(next.usage)", meaning: last.meaning)
                } else {
                    arguments.append(next)
                }
            }
    }
}

extension CommandHelp.Argument {
    fileprivate init?(_ json: JSONValue) {
        guard json["shouldDisplay"] == true else { return nil }
        let names = (json["names"]?.arrayValue ?? [])
            .compactMap { name in name["name"]?.stringValue.map { name["kind"] == "long" ? "--\($0)" : "-\($0)" } }
            .sorted { $0.count < $1.count }
        let value = json["valueName"]?.stringValue.map { "<\($0)>" } ?? ""
        switch json["kind"]?.stringValue {
        case "positional": usage = value
        case "flag": usage = names.joined(separator: ", ")
        default: usage = names.joined(separator: ", ") + " " + value
        }
        let words = (json["allValues"]?.arrayValue ?? []).compactMap(\.stringValue)
        let abstract = json["abstract"]?.stringValue ?? ""
        meaning = words.isEmpty ? abstract : "\(abstract) One of: \(words.joined(separator: ", "))."
    }
}
