import Glibc
import OrderedCollections
import PrefectClient
import PrefectJSON
import WorkerKit

/// The report of a worker as text for a terminal. All names in it may be hostile.
struct StatusText {
    /// The answer of a worker to `GET /status`.
    let report: JSONValue
    /// The columns that a line may take.
    let width: Int

    /// The lines, without control characters.
    var lines: [String] {
        ([[headline]] + [outages, pools, lastHour, runs].filter { !$0.isEmpty }.map { [""] + $0 }).flatMap(\.self)
    }

    private func text(_ json: JSONValue?, _ member: String) -> String { json?[member]?.stringValue ?? "" }

    private var headline: String {
        let state = [
            text(report, "state"), report["ready"] == true ? "ready" : "not ready",
            report["claiming"] == "paused" ? "paused" : "",
        ]
        let time = text(report, "time").prefix(19).replacing("T", with: " ")
        let words = state.filter { !$0.isEmpty }.joined(separator: ", ")
        let names = (report["pools"]?.arrayValue ?? []).map { text($0, "worker") }.withoutRepetitions
        let name = names.isEmpty ? "A worker" : "Worker \(names.joined(separator: ", "))"
        return TextColumns.cut("\(name): \(words)\(time.isEmpty ? "" : " (\(time) UTC)")", to: width)
    }

    // MARK: Outages

    private var outages: [String] {
        var found: [(name: String, reason: String, since: String)] = []
        func add(_ name: String, _ reason: JSONValue?, _ since: JSONValue?) {
            if let reason = reason?.stringValue { found.append((name, reason, since?.stringValue ?? "")) }
        }
        add("This worker", report["reason"], nil)
        let pools = report["pools"]?.arrayValue ?? []
        for pool in pools { add("Work pool '\(text(pool, "name"))'", pool["trouble"], pool["trouble_since"]) }
        let feed = report["connections"]?["events_from_api"]
        add("Events from the API", feed?["reason"], feed?["since"])
        for pool in pools {
            let channel = pool["channel"]
            add("Worker channel of '\(text(pool, "name"))'", channel?["reason"], channel?["since"])
        }
        guard !found.isEmpty else { return [] }
        return ["UNAVAILABLE"]
            + found.flatMap { name, reason, since in
                let age = age(since)
                return TextColumns.wrap(
                    "\(name)\(age.isEmpty ? "" : ", for \(age)"): \(reason)", to: width, indent: 0)
            }
    }

    // MARK: Pools

    private var pools: [String] {
        table(
            ["WORK POOL", "STATE", "SLOTS", "RUNS BY STAGE"], widths: [20, 12, 10],
            (report["pools"]?.arrayValue ?? []).map { pool in
                let isUnavailable = pool["trouble"]?.stringValue != nil
                let stages = (pool["runs"]?.objectValue ?? [:]).filter { $0.value != 0 }
                let slots = pool["slots"]
                return [
                    text(pool, "name"), isUnavailable ? "unavailable" : pool["paused"] == true ? "paused" : "ready",
                    "\(slots?["used"]?.intValue ?? 0)/\(slots?["limit"]?.intValue.map { "\($0)" } ?? "-")",
                    stages.map { "\($0.value.intValue ?? 0) \($0.key)" }.joined(separator: ", "),
                ]
            })
    }

    // MARK: The last hour

    private var lastHour: [String] {
        guard let hour = report["last_hour"] else { return [] }
        let rows = [("Lateness", "lateness"), ("Start latency", "start_latency")].map { title, member in
            let minutes = hour[member]?.arrayValue ?? []
            let longest = minutes.compactMap { $0["max"]?.doubleValue }.max()
            return (title: TextColumns.pad(title, to: 14), minutes, longest: longest.map(Self.duration) ?? "none")
        }
        // 80 columns have room for all minutes.
        let room = width - 15 - (rows.map { TextColumns.width($0.longest) }.max() ?? 0)
        return ["LAST HOUR: the median of each minute, then the maximum"]
            + rows.map { title, minutes, longest in
                "\(title)\(Self.bars(minutes, count: max(0, min(60, room)))) \(longest)"
            }.map { TextColumns.cut($0, to: width) }
    }

    /// A bar for each of the last minutes, the current one last. The scale is logarithmic, from 10 ms to 100 s.
    private static func bars(_ minutes: [JSONValue], count: Int) -> String {
        var bars = [Character](repeating: " ", count: count)
        for minute in minutes {
            guard let ago = minute["minutes_ago"]?.intValue, (0..<count).contains(ago),
                let median = minute["median"]?.doubleValue
            else { continue }
            let share = log10(min(max(median, 0.01), 100) / 0.01) / 4
            bars[count - 1 - ago] = heights[min(7, Int(share * 8))]
        }
        return String(bars)
    }

    private static let heights = Array("▁▂▃▄▅▆▇█")

    // MARK: Runs

    private var runs: [String] {
        guard let count = report["runs_in_flight"]?["count"]?.intValue else { return [] }
        let oldest = report["runs_in_flight"]?["oldest"]?.arrayValue ?? []
        guard count > 0 else { return ["No flow run is in flight."] }
        let noun = count == 1 ? "1 FLOW RUN IN FLIGHT" : "\(count) FLOW RUNS IN FLIGHT"
        let title = oldest.count < count ? "\(noun), here the \(oldest.count) longest in their stages" : noun
        return [TextColumns.cut(title, to: width)]
            + table(
                ["STAGE", "FOR", "WORK POOL", "RUN", "INFRASTRUCTURE"], widths: [11, 12, 16, width / 4],
                oldest.map { run in
                    [
                        text(run, "stage"), age(text(run, "since")), text(run, "pool"), text(run, "name"),
                        text(run, "infrastructure"),
                    ]
                })
    }

    // MARK: Form

    /// The lines of a table whose last column takes the rest of the width.
    private func table(_ titles: [String], widths: [Int], _ rows: [[String]]) -> [String] {
        guard !rows.isEmpty else { return [] }
        return ([titles] + rows).map { cells in
            let padded = zip(cells, widths).map { TextColumns.pad(TextColumns.cut($0, to: $1 - 1), to: $1) }
            let line = padded.joined() + (cells.dropFirst(widths.count).first?.escapedForTerminal() ?? "")
            return TextColumns.cut(line, to: width).trimmingSpaces
        }
    }

    /// The time from a moment to the report, by the worker's clock.
    private func age(_ since: String) -> String {
        guard let since = Timestamp(since), let now = Timestamp(text(report, "time")) else { return "" }
        return Self.duration(max(0, now.seconds(since: since)))
    }

    /// A duration in one or two units, like on the status page.
    static func duration(_ seconds: Double) -> String {
        func whole(_ unit: Double) -> Int { Int(min(seconds / unit, 1e9)) }
        switch seconds {
        case ..<1: return "\(Int((seconds * 1000).rounded())) ms"
        case ..<10: return "\((seconds * 10).rounded() / 10) s"
        case ..<120: return "\(whole(1)) s"
        case ..<7200: return "\(whole(60)) min"
        case ..<172_800: return "\(whole(3600)) h \(whole(60) % 60) min"
        default: return "\(whole(86_400)) d \(whole(3600) % 24) h"
        }
    }
}

extension String {
    /// The text without the spaces at its end.
    fileprivate var trimmingSpaces: String { String(reversed().drop { $0 == " " }.reversed()) }
}
