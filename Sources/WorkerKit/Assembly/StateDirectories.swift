internal import FoundationEssentials
internal import Glibc
internal import JobTemplates
package import PrefectClient
internal import PrefectFiles

/// The directories for the data that workers must find again.
package enum StateDirectories {
    /// The directory that the user, or systemd for the unit, has named.
    static func named(_ argument: String?, environment: [String: String]) -> String? {
        let name = argument ?? environment["STATE_DIRECTORY"]?.split(separator: ":").first.map(String.init)
        guard let name, !name.isEmpty else { return nil }
        if name.hasPrefix("~/"), let home = environment["HOME"] { return home + name.dropFirst() }
        return name.hasPrefix("/") ? name : FileManager.default.currentDirectoryPath + "/" + name
    }

    /// The directory for workers without a named directory.
    static func standard(_ plan: ServingPlan, settings: PrefectSettings) -> String {
        "\(root(settings))/\(Slug.make(plan.title))"
    }

    private static func root(_ settings: PrefectSettings) -> String { "\(settings.home)/prefect-worker" }

    /// The directory below which workers have their directories when PREFECT_HOME cannot be written.
    static func scratch(_ environment: [String: String]) -> String {
        let parent = environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
        return "\(parent)/prefect-worker-\(getuid())"
    }

    /// The worker's own directory, or else the reason why it has no directory, in one line.
    struct Taken {
        var directory: StateDirectory?
        var problem: String?
        /// Why the directory is not the one that the environment or the settings name, in one line.
        var note: String?
    }

    /// Takes the worker's own directory. A directory that another worker holds is refused if the user has named it.
    /// Without an argument, a directory that cannot be used is replaced by one below PREFECT_HOME, or else by one below
    /// TMPDIR. With any other problem, the worker has no directory.
    static func take(
        _ argument: String?, plan: ServingPlan, settings: PrefectSettings, environment: [String: String]
    ) throws(WorkerRefusal) -> Taken {
        let pools = plan.names.map { "'\($0)'" }.joined(separator: ", ")
        let worker = (plan.pools.first?.workerName ?? plan.workerName).map { "worker '\($0)'" } ?? "a worker"
        let holder = "\(worker) on work pool \(pools) (pid \(getpid()))"
        do throws(StateDirectory.Problem) {
            if let named = named(argument, environment: environment) {
                return Taken(directory: try StateDirectory.take(named, for: holder))
            }
            return Taken(directory: try StateDirectory.takeFree(standard(plan, settings: settings), for: holder))
        } catch {
            let problem = error
            if case .inUse = problem { throw WorkerRefusal("\(problem)") }
            let other = argument == nil ? takeOther(plan, settings, environment, holder) : nil
            guard let other else { return Taken(problem: "\(problem)") }
            return Taken(directory: other, note: "\(problem); the worker uses '\(other.path)'")
        }
    }

    /// Takes the first usable directory below PREFECT_HOME or TMPDIR.
    private static func takeOther(
        _ plan: ServingPlan, _ settings: PrefectSettings, _ environment: [String: String], _ holder: String
    ) -> StateDirectory? {
        if let directory = try? StateDirectory.takeFree(standard(plan, settings: settings), for: holder) {
            return directory
        }
        // Other users can write to TMPDIR, so only a directory that belongs to this user alone is safe.
        let scratch = scratch(environment)
        guard Directory.create(scratch), Directory.isPrivate(scratch) else { return nil }
        return try? StateDirectory.takeFree("\(scratch)/\(Slug.make(plan.title))", for: holder)
    }

    /// Returns all existing directories of this user's workers, or only the named directory.
    package static func existing(
        _ argument: String?, settings: PrefectSettings, environment: [String: String]
    ) -> [String] {
        if let named = named(argument, environment: environment) {
            // A worker replaces a directory of the environment that it cannot write.
            if argument != nil || access(named, W_OK) == 0 { return [named] }
        }
        let roots = [root(settings), scratch(environment)].filter { $0 == root(settings) || Directory.isPrivate($0) }
        return roots.flatMap { root in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
            return names.sorted().map { "\(root)/\($0)" }
        }
    }
}
