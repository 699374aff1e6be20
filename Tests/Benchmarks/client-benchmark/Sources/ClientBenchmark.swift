import FoundationEssentials
import Glibc
import PrefectClient

/// Does one kind of work, and prints its time, CPU time and memory as JSON. `client.py` runs it.
///
///     client-benchmark URL one-by-one|concurrent|pages COUNT [FLOW_ID]
///     client-benchmark FILE decode COUNT
@main
struct ClientBenchmark {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 4, let count = Int(arguments[3]) else {
            print("usage: client-benchmark URL one-by-one|concurrent|pages|decode COUNT [FLOW_ID]")
            exit(2)
        }
        let mode = arguments[2]
        if mode == "decode" { return try await decode(Data(contentsOf: URL(filePath: arguments[1])), times: count) }
        let client = try APIClient(configuration: APIClient.Configuration(url: arguments[1], csrfEnabled: false))
        // The first request opens the connection.
        _ = try await client.hello()
        if mode == "pages" { return try await readPages(client) }
        guard arguments.count > 4, let flow = UUID(uuidString: arguments[4]) else { exit(2) }
        try await measure {
            if mode == "concurrent" {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<count {
                        if number >= 64 { try await group.next() }
                        group.addTask { _ = try await client.readFlow(id: flow) }
                    }
                    try await group.waitForAll()
                }
            } else {
                for _ in 0..<count { _ = try await client.readFlow(id: flow) }
            }
            return count
        }
    }

    private static func decode(_ data: Data, times: Int) async throws {
        let bytes = [UInt8](data)
        try await measure {
            var rows = 0
            for _ in 0..<times { rows += try [FlowRun](jsonValue: JSONValue(parsing: bytes)).count }
            return rows
        }
    }

    private static func readPages(_ client: APIClient) async throws {
        try await measure {
            var rows = 0
            let runs = Pages { limit, offset in
                try await client.readFlowRuns(sort: .idDescending, limit: limit, offset: offset)
            }
            for try await run in runs where !run.name.isEmpty { rows += 1 }
            return rows
        }
    }

    private static func measure(_ work: @Sendable () async throws -> Int) async throws {
        let (start, cpu, before) = (ContinuousClock.now, cpuSeconds(), memory("VmRSS:"))
        let done = try await work()
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        let used = cpuSeconds() - cpu
        print(
            "{\"done\": \(done), \"seconds\": \(elapsed), \"cpu\": \(used), \"before\": \(before),",
            "\"peak\": \(memory("VmHWM:"))}")
    }

    /// The CPU time of the process in seconds.
    private static func cpuSeconds() -> Double {
        var usage = rusage()
        getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    /// The resident memory in KB, from the kernel.
    private static func memory(_ name: String) -> Int {
        let status = (try? String(contentsOf: URL(filePath: "/proc/self/status"), encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(name) } ?? ""
        return Int(line.filter(\.isNumber)) ?? 0
    }
}
