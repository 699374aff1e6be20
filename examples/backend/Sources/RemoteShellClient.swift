import BackendKit
import Subprocess

/// Runs short scripts on one machine.
public struct RemoteShellClient: RemoteTaskClient {
    public typealias Specification = RemoteShellSpecification

    /// The state of a run's directory.
    public enum Status: Sendable, Equatable {
        case running
        case exited(Int)
    }

    /// One script describes any number of runs.
    public static var watchPolicy: WatchPolicy { WatchPolicy { _ in .seconds(1) } }

    /// This client sends the signals itself.
    public static var stopMargin: Duration { .zero }

    let place: RemoteShellPlace

    public var name: String { "the shell '\(place.shell)'" }

    /// Starts the run's process. The process makes its own directory, and `mkdir` succeeds once for each claim.
    public func create(_ specification: RemoteShellSpecification, for key: RemoteTaskKey) async throws -> String {
        let task = Self.task(of: key)
        var environment = ""
        for (name, value) in specification.prepared.env {
            environment += "export \(name)=\(quoted(value))\n"
        }
        // The shell that records the exit code outlives SIGTERM; the command has the signal's default action.
        let program = """
            mkdir "$directory" 2>/dev/null || exit 0
            echo $$ >"$directory/leader"; mkdir "$directory/work"; trap : TERM
            (unset directory; cd "$work" || exit 127
            \(environment)\(specification.prepared.command)
            ) >"$directory/output" 2>&1
            echo $? >"$directory/code.new"; mv "$directory/code.new" "$directory/code"
            """
        let answer = try await run(
            """
            mkdir -p "$root"; directory="$(cd "$root" && pwd)"/\(task); work="$directory/work"; export directory work
            if [ -e "$directory/abandoned" ]; then rm -rf "$directory"; fi
            setsid sh -c \(quoted(program)) </dev/null >/dev/null 2>&1 &
            for attempt in 1 2 3 4 5 6 7 8 9 10; do
              if [ -d "$directory" ]; then echo started; exit 0; fi
              sleep 0.1
            done
            """)
        guard answer.hasPrefix("started") else {
            throw RemoteTaskError(.refused, "no process starts at \(name); check that it has 'setsid'")
        }
        return task
    }

    public func find(_ key: RemoteTaskKey) async throws -> String? {
        let task = Self.task(of: key)
        // A script whose creation was cancelled may still begin. It cannot once somebody else has made its directory.
        let prevention = "mkdir -p \"$root\"; if mkdir \"$directory\" 2>/dev/null; then : >\"$directory/abandoned\"; fi"
        let answer = try await run(
            """
            directory="$root"/\(task)
            \(key.isAbandoned ? prevention : "")
            if [ -d "$directory" ] && [ ! -e "$directory/abandoned" ]; then echo found; fi
            """)
        return answer.isEmpty ? nil : task
    }

    public func describe(_ tasks: [String]) async throws -> [String: Status] {
        let lines = try await run(
            """
            for task in \(tasks.map(quoted).joined(separator: " ")); do
              directory="$root/$task"
              if [ -e "$directory/code" ]; then echo "$task $(cat "$directory/code")"
              elif [ -d "$directory" ]; then
                leader="$(cat "$directory/leader" 2>/dev/null || true)"
                if [ -z "$leader" ] && [ -z "$(find "$directory" -maxdepth 0 -mmin +1)" ]; then echo "$task running"
                elif [ -n "$leader" ] && kill -0 "$leader" 2>/dev/null; then echo "$task running"
                elif [ -e "$directory/code" ]; then echo "$task $(cat "$directory/code")"
                else echo "$task 137"; fi
              fi
            done
            """
        ).split(separator: "\n")
        var found: [String: Status] = [:]
        for line in lines {
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 2 else { continue }
            found[words[0]] = Int(words[1]).map(Status.exited) ?? .running
        }
        return found
    }

    public func end(of status: Status) -> ExitStatus? {
        guard case .exited(let code) = status else { return nil }
        return ExitStatus(code: code)
    }

    public func stop(_ task: String, grace: Duration, reason: StopReason) async throws {
        try await signal("TERM", task)
    }

    public func kill(_ task: String) async throws { try await signal("KILL", task) }

    /// Signals the session's process group: the shell that records the exit code ignores SIGTERM.
    private func signal(_ signal: String, _ task: String) async throws {
        let answer = try await run(
            """
            directory="$root"/\(quoted(task)); [ -d "$directory" ] || { echo missing; exit 0; }
            [ -e "$directory/code" ] || kill -s \(signal) -- "-$(cat "$directory/leader")" 2>/dev/null || true
            """)
        if answer.hasPrefix("missing") { throw RemoteTaskError(.notFound, "the run '\(task)' does not exist") }
    }

    public func delete(_ task: String) async throws -> Bool {
        _ = try await run("rm -rf \"$root\"/\(quoted(task))")
        return true
    }

    public func output(of task: String, after position: String?) async throws -> RemoteOutput {
        let start = position.flatMap { Int($0) } ?? 0
        let text = try await run("tail -c +\(start + 1) \"$root\"/\(quoted(task))/output 2>/dev/null || true")
        return RemoteOutput(bytes: Array(text.utf8), position: String(start + text.utf8.count))
    }

    // MARK: - The shell

    private static func task(of key: RemoteTaskKey) -> String {
        "\(key.flowRunID)-\(key.claimID)".filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
    }

    /// Runs a script on the machine and returns its output.
    private func run(_ script: String) async throws -> String {
        do {
            let result = try await Subprocess.run(
                .path("/bin/sh"), arguments: ["-c", "exec \(place.shell)"],
                input: .string("root=\(quoted(place.directory))\n\(script)\n"), output: .string(limit: 4 << 20),
                error: .string(limit: 64 << 10))
            guard result.terminationStatus.isSuccess else {
                let reason = result.standardError.split(separator: "\n").last.map(String.init)
                throw unavailable(reason ?? "the shell ended with \(result.terminationStatus)")
            }
            return result.standardOutput
        } catch let error as SubprocessError {
            try Task.checkCancellation()
            throw unavailable("\(error)")
        }
    }

    private func unavailable(_ reason: String) -> RemoteTaskError {
        RemoteTaskError(.unavailable(isUnapplied: false), reason)
    }
}

/// A word quoted for a POSIX shell.
private func quoted(_ word: String) -> String { "'" + word.replacing("'", with: #"'"'"'"#) + "'" }
