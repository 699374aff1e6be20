import Foundation
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

/// All rows with one worker: their files, their deployments and runs in one pool, and the observations.
struct WorkspaceColumn: Sendable {
    /// The column's name, for messages and for `without`.
    let name: String
    let rows: [WorkspaceRow]
    let bench: TestBench
    /// The directory with all files, as flows see it. It is also their home directory.
    let root: String
    /// The path of that directory for the test.
    let localRoot: String
    /// Patterns of the directories that the worker creates for its runs.
    let workspaces: [String]
    /// Job variables of all rows.
    var variables: JSONValue = [:]

    /// The observation of each row, by the row's name.
    typealias Observations = OrderedDictionary<String, JSONValue>

    /// Writes the files and creates the runs, lets a worker execute them, and returns the observations.
    func observe(
        isolation: isolated (any Actor)? = #isolation,
        whileServing serve: (() async throws -> Void) async throws -> Void
    ) async throws -> Observations {
        var runs: [(row: WorkspaceRow, run: String)] = []
        do {
            _ = try await bench.server.createSecret(name: bench.pool, value: "of the block")
            try await bench.server.call(
                "POST", "/variables/", ["name": .string(bench.pool), "value": "of the variable"])
            try write("@steps", "steps/wsteps.py")
            for row in rows {
                try await prepare(row)
                runs.append((row, try await bench.server.createRun(deployment: deploy(row), name: row.name)))
            }
            try await serve { try await waitForEnds(of: &runs) }
        } catch {
            await removeBlocks()
            throw error
        }
        await removeBlocks()
        var observations: Observations = [:]
        for (row, run) in runs { observations[row.name] = try await observation(of: row, run) }
        try record(observations)
        return observations
    }

    private func deploy(_ row: WorkspaceRow) async throws -> String {
        let place = "\(root)/rows/\(row.name)"
        let source = try Self.source("workspace_flow")
        let insert = { (text: String) in
            text == "@flow"
                ? source
                : text.replacing("{unique}", with: bench.pool).replacing("{storage}", with: "\(bench.pool)-\(row.name)")
                    .replacing("{row}", with: place).replacing("{out}", with: "\(root)/out/\(row.name)")
                    .replacing("{steps}", with: "\(root)/steps")
        }
        let values = row.fields.mapStrings(insert)
        var others: JSONValue = [
            "parameters": ["out": .string("\(root)/out/\(row.name)"), "then": row.fields["then"] ?? "return"],
            "path": values["path"] ?? .string(place), "entrypoint": values["entrypoint"] ?? "pf.py:tell",
            "pull_steps": row.steps.mapStrings(insert),
        ]
        if let storage = values["storage"]?.stringValue {
            let block = try await bench.server.createBlock(
                "\(bench.pool)-\(row.name)", type: "local-file-system", data: ["basepath": .string(storage)])
            others["storage_document_id"] = .string(block)
        }
        return try await bench.server.createDeployment(
            name: row.name, flow: bench.flow, pool: bench.pool,
            jobVariables: Self.merged(variables, row.variables).mapStrings(insert), others: others)
    }

    /// Removes the blocks and the variable of the rows from the server.
    private func removeBlocks() async {
        let filter: JSONValue = ["block_documents": ["name": ["like_": .string(bench.pool)]]]
        let blocks = try? await bench.server.call("POST", "/block_documents/filter", filter).arrayValue
        for block in (blocks ?? []).compactMap({ $0["id"]?.stringValue }) {
            _ = try? await bench.server.send("DELETE", "/block_documents/\(block)")
        }
        _ = try? await bench.server.send("DELETE", "/variables/name/\(bench.pool)")
    }

    /// Waits until all runs are in a final state and the hooks of crashed runs have run.
    private func waitForEnds(of runs: inout [(row: WorkspaceRow, run: String)]) async throws {
        let final = TestBench.finalStates.map(JSONValue.string)
        let filter: JSONValue = [
            "flows": ["id": ["any_": [.string(bench.flow)]]], "limit": 200,
            "flow_runs": ["state": ["type": ["any_": .array(final)]]],
        ]
        let timeout = Duration.seconds(100 + 6 * runs.count)
        try await eventually(within: timeout, "\(runs.count) runs have ended", every: .milliseconds(500)) {
            let ended = try await bench.server.call("POST", "/flow_runs/filter", filter).arrayValue ?? []
            for end in ended where Self.isRefused(end) {
                guard let index = runs.firstIndex(where: { $0.run == end["id"]?.stringValue }) else { continue }
                let deployment = end["deployment_id"]?.stringValue ?? ""
                runs[index].run = try await bench.server.createRun(deployment: deployment, name: runs[index].row.name)
            }
            let ids = Set(ended.compactMap { $0["id"]?.stringValue })
            return runs.allSatisfy { ids.contains($0.run) }
        }
        // The comparison reports a hook that has not run.
        try? await eventually(within: .seconds(20), "the hooks have run", every: .milliseconds(200)) {
            rows.allSatisfy {
                !$0.hasHook || FileManager.default.fileExists(atPath: "\(localRoot)/out/\($0.name)/hook")
            }
        }
    }

    /// Whether a run has crashed because the Python worker gives up when a busy server refuses a request.
    ///
    /// Nothing of that run was started, so another run replaces it.
    private static func isRefused(_ run: JSONValue) -> Bool {
        let message = run["state"]?["message"]?.stringValue ?? ""
        return message.hasPrefix("Failed to submit flow run to infrastructure: PrefectHTTPStatusError")
    }

    // MARK: Preparation

    private static func source(_ name: String) throws -> String {
        try String(contentsOfFile: Resource.path(name, "py"), encoding: .utf8)
    }

    private static func merged(_ variables: JSONValue, _ others: JSONValue) -> JSONValue {
        var result = variables
        for (key, value) in others.objectValue ?? [:] {
            if case .object = value, let own = result[key] {
                result[key] = merged(own, value)
            } else {
                result[key] = value
            }
        }
        return result
    }

    /// Writes the files of a row.
    private func prepare(_ row: WorkspaceRow) async throws {
        try FileManager.default.createDirectory(
            atPath: "\(localRoot)/rows/\(row.name)", withIntermediateDirectories: true)
        for (name, text) in row.fields["files"]?.objectValue ?? [:] {
            try write(
                text.stringValue ?? "", name.hasPrefix("~/") ? String(name.dropFirst(2)) : "rows/\(row.name)/\(name)")
        }
        guard let branches = row.fields["repository"]?.objectValue else { return }
        let repository = "rows/\(row.name)/repository"
        try write("", "\(repository)/.gitkeep")
        try await git(["init", "--quiet"], in: repository)
        for (branch, files) in branches {
            try await git(["checkout", "--quiet", "--orphan", branch], in: repository)
            for (name, text) in files.objectValue ?? [:] { try write(text.stringValue ?? "", "\(repository)/\(name)") }
            try await git(["add", "--all"], in: repository)
            let person = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
            try await git(person + ["commit", "--quiet", "--message", branch], in: repository)
        }
        try await git(["checkout", "--quiet", branches.keys.first ?? "main"], in: repository)
    }

    private func git(_ arguments: [String], in directory: String) async throws {
        try await withChildProcess("git", arguments, workingDirectory: "\(localRoot)/\(directory)") { git in
            let status = try await git.waitForExit()
            #expect(status == .exited(0), "git \(arguments): \(git.summary)")
        }
    }

    private func write(_ text: String, _ name: String) throws {
        let path = "\(localRoot)/\(name)"
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        switch text {
        case "@flow": try TestFile.write(Self.source("workspace_flow"), to: path)
        case "@steps": try TestFile.write(Self.source("workspace_steps"), to: path)
        case _ where text.hasPrefix("->"):
            try FileManager.default.createSymbolicLink(
                atPath: path, withDestinationPath: String(text.dropFirst("->".count)))
        default: try TestFile.write(text, to: path)
        }
    }

    // MARK: Observation

    /// The end of a run, and the lines of the run, its hooks and its steps. Placeholders replace values that differ
    /// between columns.
    private func observation(of row: WorkspaceRow, _ run: String) async throws -> JSONValue {
        let state = try await bench.server.flowRun(run)["state"] ?? .null
        let out = "\(localRoot)/out/\(row.name)"
        var seen: JSONValue = ["end": [state["type"] ?? .null, state["name"] ?? .null]]
        for file in (try? FileManager.default.subpathsOfDirectory(atPath: out))?.sorted() ?? [] {
            let lines = (try? String(contentsOfFile: "\(out)/\(file)", encoding: .utf8))?.split(separator: "\n")
            seen[file] = .array(try (lines ?? []).map { try JSONValue(parsing: String($0)) })
        }
        var names: [(String, String)] = [
            ("\(root)/rows/\(row.name)", "<row>"), ("\(root)/out/\(row.name)", "<out>"), ("\(root)/steps", "<steps>"),
        ]
        names = names.map { (Self.pattern(of: $0.0), $0.1) }
        names += workspaces.map { ($0, "<workspace>") }
        names += [
            (Self.pattern(of: root), "<home>"), (bench.pool, "<unique>"),
            ("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>"), ("__prefect_loader_[0-9a-f]+__", "<loaded>"),
        ]
        return seen.mapStrings { text in
            names.reduce(text) { $0.replacingOccurrences(of: $1.0, with: $1.1, options: .regularExpression) }
        }
    }

    /// A pattern that matches exactly this path.
    static func pattern(of path: String) -> String { NSRegularExpression.escapedPattern(for: path) }

    /// Writes the observations into the directory that `WORKSPACE_RECORD` names, for manual inspection.
    private func record(_ observations: Observations) throws {
        guard let directory = ProcessInfo.processInfo.environment["WORKSPACE_RECORD"], !directory.isEmpty else {
            return
        }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try TestFile.write(JSONValue.object(observations).serialized(.pretty) + "\n", to: "\(directory)/\(name).json")
    }
}

extension WorkspaceColumn {
    /// The differences of two observations of a row, one in each string.
    static func differences(_ left: JSONValue, _ right: JSONValue, at place: String = "") -> [String] {
        if let left = left.objectValue, let right = right.objectValue {
            return OrderedSet(Array(left.keys) + Array(right.keys)).flatMap { key in
                differences(
                    left[key] ?? "(absent)", right[key] ?? "(absent)", at: place.isEmpty ? key : "\(place).\(key)")
            }
        }
        if let left = left.arrayValue, let right = right.arrayValue, left.count == right.count,
            left.first?.objectValue != nil
        {
            return zip(left, right).flatMap { differences($0, $1, at: place) }
        }
        return left.isEquivalent(to: right) ? [] : ["\(place): \(left.serialized()) here, \(right.serialized()) there"]
    }
}
