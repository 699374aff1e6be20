import Foundation
import JSON
import OrderedCollections
import TestSupport
import Testing

/// A row of the table `workspaces.json`: a deployment, the files that it finds, and how its run ends.
///
/// Members of a row, all but the name with a default:
/// - `path`, `entrypoint`: of the deployment; `{row}` and `pf.py:tell` where they are absent.
/// - `files`: texts by their names below the row's directory, or below the home directory from `~/` on; `@flow` and
///   `@steps` are the two programs of the tests, `->name` is a link.
/// - `repository`: a Git repository named `repository` with these files, by branches.
/// - `storage`: the base path of a block that the deployment names as its storage.
/// - `variables`: job variables.
/// - `steps`: the pull steps, as pairs of a name and of inputs; `set`, `shell` and `clone` are short names of Prefect's
///   own.
/// - `counts`: whether the first of the steps notes that it was executed.
/// - `then`: what the flow does when it has told what it sees.
/// - `ends`: the state that the Python worker's run ends in.
/// - `hook`: whether the flow's hook for crashes runs.
/// - `directory`: the directory of the flow with the Python worker.
/// - `oddity`: what is odd with the Python worker, and holds for all.
/// - `without`: why a column lacks the row, by the column's name.
/// - `differs`: why a column rightly differs, by the column's name and by the place of the difference, like
///   `hook.program`.
/// - `more`: whether the row is run only where it is asked for.
/// - `brief`: whether CI runs the row in units and containers too, where all of them would take too long.
struct WorkspaceRow: Sendable {
    let name: String
    let fields: JSONValue

    /// The rows that tests run: those that `WORKSPACE_ROWS` names, separated by commas; all of them where it is `all`;
    /// and where it is not set, all but those that say `more`.
    ///
    /// - Parameter column: The column, whose missing rows are left out.
    static func table(without column: String? = nil) throws -> [WorkspaceRow] {
        let all = try (Resource.json("workspaces").arrayValue ?? []).map {
            WorkspaceRow(name: try #require($0["name"]?.stringValue), fields: $0)
        }
        let rows = all.filter { row in
            column.map { row.fields["without"]?[$0] == nil } ?? true
        }
        let wanted = ProcessInfo.processInfo.environment["WORKSPACE_ROWS"] ?? ""
        if wanted == "all" { return rows }
        if wanted.isEmpty {
            let isShort = column != nil && ProcessInfo.processInfo.environment["CI"] == "true"
            return rows.filter { $0.fields["more"] == nil && (!isShort || $0.isBrief) }
        }
        let names = wanted.split(separator: ",").map(String.init)
        for name in names where !all.contains(where: { $0.name == name }) { Issue.record("No row is named \(name)") }
        return rows.filter { names.contains($0.name) }
    }

    /// The state that the run ends in.
    var end: String { fields["ends"]?.stringValue ?? "Completed" }
    /// Whether the first pull step notes that it was executed.
    var counts: Bool { fields["counts"]?.boolValue == true }
    /// Whether the flow's hook runs.
    var hasHook: Bool { fields["hook"]?.boolValue == true }

    /// Whether CI runs the row in units and containers.
    var isBrief: Bool { fields["brief"]?.boolValue == true }

    /// The pull steps, or null.
    var steps: JSONValue {
        guard let pairs = fields["steps"]?.arrayValue else { return .null }
        let counting: [JSONValue] = counts ? [["wsteps.count", ["out": "{out}"]]] : []
        return .array(
            (counting + pairs).map { pair in
                let name = pair[0]?.stringValue ?? ""
                let input = pair[1] ?? .null
                let prefix = "prefect.deployments.steps."
                return switch name {
                case "set": [prefix + "set_working_directory": ["directory": input]]
                case "shell": [prefix + "run_shell_script": ["script": .string("sh -c '\(input.stringValue ?? "")'")]]
                case "clone": [prefix + "git_clone": input]
                default: .object([name: input])
                }
            })
    }

    /// The job variables; steps of the tests are where `PYTHONPATH` says.
    var variables: JSONValue {
        var variables = fields["variables"] ?? [:]
        guard steps.serialized().contains("\"wsteps.") else { return variables }
        var environment = variables["env"] ?? [:]
        environment["PYTHONPATH"] = "{steps}"
        variables["env"] = environment
        return variables
    }
}

extension JSONValue {
    /// The value with all its strings, but not the keys, changed.
    func mapStrings(_ change: (String) -> String) -> JSONValue {
        switch self {
        case .string(let text): .string(change(text))
        case .array(let values): .array(values.map { $0.mapStrings(change) })
        case .object(let members): .object(members.mapValues { $0.mapStrings(change) })
        default: self
        }
    }
}
