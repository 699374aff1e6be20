import FoundationEssentials
import Glibc
import PrefectClient

/// Does one kind of work, and prints its time, CPU time and memory as JSON. `client.py` runs it.
///
///     client-benchmark URL one-by-one|concurrent|pages COUNT [FLOW_ID]
///     client-benchmark FILE decode COUNT
let arguments = CommandLine.arguments
guard arguments.count >= 4, let count = Int(arguments[3]) else {
    print("usage: client-benchmark URL one-by-one|concurrent|pages|decode COUNT [FLOW_ID]")
    exit(2)
}
let mode = arguments[2]

/// The CPU time of the process in seconds.
func cpuSeconds() -> Double {
    var usage = rusage()
    getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// The resident memory in KB, from the kernel.
func memory(_ name: String) -> Int {
    let status = (try? String(contentsOf: URL(filePath: "/proc/self/status"), encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(name) } ?? ""
    return Int(line.filter(\.isNumber)) ?? 0
}

@MainActor func measure(_ work: @MainActor () async throws -> Int) async throws {
    let (start, cpu, before) = (ContinuousClock.now, cpuSeconds(), memory("VmRSS:"))
    let done = try await work()
    let elapsed = (ContinuousClock.now - start) / .seconds(1)
    let used = cpuSeconds() - cpu
    print(
        "{\"done\": \(done), \"seconds\": \(elapsed), \"cpu\": \(used), \"before\": \(before),",
        "\"peak\": \(memory("VmHWM:"))}")
}

if mode == "decode" {
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: arguments[1])))
    try await measure {
        var rows = 0
        for _ in 0..<count { rows += try [FlowRun](jsonValue: JSONValue(parsing: bytes)).count }
        return rows
    }
    exit(0)
}

let client = try APIClient(configuration: APIClient.Configuration(url: arguments[1], csrfEnabled: false))
// The first request opens the connection.
_ = try await client.hello()
switch mode {
case "pages":
    try await measure {
        var rows = 0
        let runs = Pages { limit, offset in
            try await client.readFlowRuns(sort: .idDescending, limit: limit, offset: offset)
        }
        for try await run in runs where !run.name.isEmpty { rows += 1 }
        return rows
    }
default:
    guard arguments.count > 4, let flow = UUID(uuidString: arguments[4]) else { exit(2) }
    let width = mode == "concurrent" ? 64 : 1
    try await measure {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                if number >= width { try await group.next() }
                group.addTask { _ = try await client.readFlow(id: flow) }
            }
            try await group.waitForAll()
        }
        return count
    }
}
exit(0)
