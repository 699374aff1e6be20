import Foundation
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

/// A row of the table `workspaces.json`: a deployment, the files that it finds, and how its run ends.
///
/// Members of a row. All but the name have a default:
/// - `path`, `entrypoint`: the deployment's; by default `{row}` and `pf.py:tell`.
/// - `files`: texts by their names below the row's directory, or below the home directory for names with `~/`.
///   `@flow` and `@steps` are the two programs of the tests, and `->name` is a link.
/// - `repository`: the files of a Git repository named `repository`, by branch.
/// - `storage`: the base path of a block that the deployment names as its storage.
/// - `variables`: job variables.
/// - `steps`: the pull steps, as pairs of a name and inputs. `set`, `shell` and `clone` are short names of Prefect's
///   own steps.
/// - `counts`: whether an additional first step notes each execution.
/// - `then`: the flow's action after its report: `return`, `raise`, `exit` or `kill`.
/// - `ends`: the final state of the Python worker's run.
/// - `hook`: whether the flow's crash hook runs.
/// - `directory`: the directory of the flow with the Python worker.
/// - `oddity`: an odd behaviour of the Python worker that all columns share.
/// - `without`: the reason why a column lacks the row, by the column's name.
/// - `differs`: the reason for an allowed difference, by the column's name and the place of the difference, such as
///   `hook.program`.
/// - `more`: whether the row runs only on request, by `WORKSPACE_ROWS`.
/// - `brief`: whether CI also runs the row in units and containers. All rows would take too long there.
struct WorkspaceRow: Sendable {
    let name: String
    let fields: JSONValue

    /// The rows of the tests. `WORKSPACE_ROWS` selects rows by their names, separated by commas, or selects `all`.
    /// Without it, these are all rows without `more`.
    ///
    /// - Parameter column: The column. Rows that it lacks are excluded.
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
            let isShort = column != nil && TestLength.isShort
            return rows.filter { $0.fields["more"] == nil && (!isShort || $0.isBrief) }
        }
        let names = wanted.split(separator: ",").map(String.init)
        for name in names where !all.contains(where: { $0.name == name }) { Issue.record("No row is named \(name)") }
        return rows.filter { names.contains($0.name) }
    }

    /// The final state of the run.
    var end: String { fields["ends"]?.stringValue ?? "Completed" }
    /// Whether an additional first pull step notes each execution.
    var counts: Bool { fields["counts"]?.boolValue == true }
    /// Whether the flow's crash hook runs.
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

    /// The job variables. `PYTHONPATH` names the directory of the tests' own steps.
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
    /// The value with all its strings changed, except the keys.
    func mapStrings(_ change: (String) -> String) -> JSONValue {
        switch self {
        case .string(let text): .string(change(text))
        case .array(let values): .array(values.map { $0.mapStrings(change) })
        case .object(let members): .object(members.mapValues { $0.mapStrings(change) })
        default: self
        }
    }
}
