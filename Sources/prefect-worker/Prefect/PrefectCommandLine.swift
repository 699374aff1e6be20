import ArgumentParser
import Glibc
import PrefectJSON

/// The command lines of Prefect's own program `prefect` that this program carries out.
///
/// Charts and entrypoints of Prefect call them. They are available under the name `prefect`, as a link to this program,
/// and under this program's own name.
enum PrefectCommandLine {
    /// The commands that exist under the name `prefect`.
    static let commands = [
        "worker start", "work-pool inspect", "work-pool create", "work-pool update", "version",
    ]

    /// Whether the program was started under the name `prefect`.
    static func isPrefect(_ program: String) -> Bool {
        program == "prefect" || program.hasSuffix("/prefect")
    }

    /// Returns the arguments of this program for those of `prefect`.
    ///
    /// - Returns: `nil` if this program does not have the command.
    static func translated(_ arguments: [String]) -> [String]? {
        // The worker's `start` needs no prompt except for a missing pool, which a terminal decides.
        let arguments = arguments.filter { $0 != "--prompt" && $0 != "--no-prompt" }
        let first = firstCommand(arguments)
        let (session, rest) = (Array(arguments[..<first]), Array(arguments[first...]))
        let words = rest.prefix { !$0.hasPrefix("-") }
        switch (words.first, words.dropFirst().first) {
        case (nil, _):
            return rest.contains("--version") || rest.contains("-v") ? ["version", "--number"] : arguments
        case ("worker", "start"), ("workers", "start"):
            return session + rest.dropFirst()
        case ("worker", nil), ("workers", nil):
            return isHelp(rest) ? session + ["start", "--help"] : nil
        case ("work-pool", let command), ("work-pools", let command):
            let isKnown = command.map { WorkPoolCommand.names.contains($0) } ?? isHelp(rest)
            return isKnown ? session + ["work-pool"] + rest.dropFirst() : nil
        case ("version", _):
            return arguments
        default:
            return nil
        }
    }

    /// Explains, in one line, that this program does not have a command. Arguments can contain secrets, so the line has
    /// only the words of the command.
    static func refusal(_ arguments: [String]) -> String {
        let words = arguments[firstCommand(arguments)...].prefix { !$0.hasPrefix("-") }.prefix(2)
        let command = words.map { String($0.prefix(40)) }.joined(separator: " ").escapedForTerminal()
        return "Error: prefect-worker has no command 'prefect \(command)', only \(commands.joined(separator: ", ")); "
            + "use Prefect's own program for it, which the image with Python contains"
    }

    /// The index of the first argument that belongs to no option of the whole program.
    static func firstCommand(_ arguments: [String]) -> Int {
        var index = 0
        while index < arguments.count, arguments[index].hasPrefix("--profile") {
            index += arguments[index].contains("=") ? 1 : 2
        }
        return min(index, arguments.count)
    }

    private static func isHelp(_ arguments: [String]) -> Bool {
        arguments.dropFirst().allSatisfy { $0 == "--help" || $0 == "-h" }
    }
}
