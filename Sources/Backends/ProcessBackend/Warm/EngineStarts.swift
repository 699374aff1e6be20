internal import CoreMetrics
internal import OrderedCollections
internal import PrefectJSON
internal import Synchronization

/// Counts the starts of flow engines: warm ones, and cold ones by reason. A reason is one of few words.
final class EngineStarts: Sendable {
    private static let reasons: Set<String> = [
        "starting", "no place", "failed", "stale", "threads", "directory", "settings", "module", "clone", "copy",
        "retired", "resources",
    ]

    private let counts = Mutex<(warm: Int, cold: OrderedDictionary<String, Int>, zygotes: Int)>((0, [:], 0))

    /// Counts a copy of a zygote.
    func noteWarm() {
        counts.withLock { $0.warm += 1 }
        count("warm", "")
    }

    /// Counts an interpreter of a run's own.
    func noteCold(_ reason: String) {
        let reason = Self.reasons.contains(reason) ? reason : "other"
        counts.withLock { $0.cold[reason, default: 0] += 1 }
        count("cold", reason)
    }

    /// Records how many zygotes are ready.
    func noteZygotes(_ number: Int) {
        counts.withLock { $0.zygotes = number }
        Meter(label: "prefect_worker_zygotes").set(number)
    }

    private func count(_ start: String, _ reason: String) {
        Counter(
            label: "prefect_worker_engine_starts_total", dimensions: [("start", start), ("reason", reason)]
        ).increment()
    }

    /// The counts for `/status`.
    var json: JSONValue {
        let counts = counts.withLock { $0 }
        return [
            "warm": .int(counts.warm), "cold": .object(counts.cold.mapValues { .int($0) }),
            "zygotes": .int(counts.zygotes),
        ]
    }
}
