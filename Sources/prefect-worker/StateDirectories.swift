import FoundationEssentials
import Glibc
import JobTemplates
import PrefectAPI
import Worker

/// Where workers keep what they must find again.
enum StateDirectories {
    /// The place that the user, or systemd for the unit, has named.
    static func named(_ argument: String?, environment: [String: String]) -> String? {
        let name = argument ?? environment["STATE_DIRECTORY"]?.split(separator: ":").first.map(String.init)
        guard let name, !name.isEmpty else { return nil }
        if name.hasPrefix("~/"), let home = environment["HOME"] { return home + name.dropFirst() }
        return name.hasPrefix("/") ? name : FileManager.default.currentDirectoryPath + "/" + name
    }

    /// The place for workers that were told no other.
    static func standard(_ plan: ServingPlan, settings: PrefectSettings) -> String {
        "\(root(settings))/\(Slug.make(plan.title))"
    }

    private static func root(_ settings: PrefectSettings) -> String { "\(settings.home)/prefect-worker" }

    /// The worker's own directory, or else why it has none, in one line.
    struct Taken {
        var directory: StateDirectory?
        var problem: String?
    }

    /// Takes the worker's own directory. One that the user has named and another worker has is refused; with any other problem
    /// the worker has none.
    static func take(
        _ argument: String?, plan: ServingPlan, settings: PrefectSettings, environment: [String: String]
    ) throws -> Taken {
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
            if case .held = problem { throw Refusal("\(problem)") }
            return Taken(problem: "\(problem)")
        }
    }

    /// All directories of this user's workers that exist; the named one alone, if one is named.
    static func existing(
        _ argument: String?, settings: PrefectSettings, environment: [String: String]
    ) -> [String] {
        if let named = named(argument, environment: environment) { return [named] }
        let root = root(settings)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return names.sorted().map { "\(root)/\($0)" }
    }
}
