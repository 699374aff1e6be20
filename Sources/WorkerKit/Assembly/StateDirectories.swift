internal import FoundationEssentials
internal import Glibc
internal import JobTemplates
package import PrefectClient

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

    /// The worker's own directory, or else the reason why it has no directory, in one line.
    struct Taken {
        var directory: StateDirectory?
        var problem: String?
    }

    /// Takes the worker's own directory. A directory that another worker holds is refused if the user has named it.
    /// With any other problem, the worker has no directory.
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
            if case .held = problem { throw WorkerRefusal("\(problem)") }
            return Taken(problem: "\(problem)")
        }
    }

    /// Returns all existing directories of this user's workers, or only the named directory.
    package static func existing(
        _ argument: String?, settings: PrefectSettings, environment: [String: String]
    ) -> [String] {
        if let named = named(argument, environment: environment) { return [named] }
        let root = root(settings)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return names.sorted().map { "\(root)/\($0)" }
    }
}
