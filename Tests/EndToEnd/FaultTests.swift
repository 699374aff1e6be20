import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite("Faults between the worker and the API", .requires(.prefectServer), .bounded)
struct FaultTests {
    private static let seeds: [UInt64] = TestLength.isShort ? [1] : [1, 2]

    /// Starts runs in all their stages, and lets runs fall due while a fault is active. Expects that each run ends as
    /// it should, that none runs twice, and that everything is reported.
    ///
    /// - Parameters:
    ///   - variables: The worker's additional environment variables.
    ///   - workers: The workers' names.
    ///   - fault: Begins the fault. Returns when the fault is over, or when the fault may continue until the end of the
    ///     test.
    private func expectNothingLost(
        _ variables: [String: String] = [:], workers: [String] = ["bench"],
        through fault: (FaultBench) async throws -> Void
    ) async throws {
        try await withFaultBench { faults in
            try await withWorkers(workers, faults, variables) { workers in
                var runs = try await faults.add(2, lasting: .seconds(3))
                runs += try await faults.add(1, lasting: .seconds(3), ending: .crashed)
                try await faults.wait(for: "begin", of: runs)
                async let more = faults.add(5, lasting: .seconds(0.5))
                async let crashing = faults.add(1, lasting: .seconds(0.2), ending: .crashed)
                try await fault(faults)
                runs += try await more + crashing
                try await faults.expectEnds(runs, workers: workers)
                // The last reports of a worker during its shutdown must arrive too.
                faults.proxy.endInterceptions()
            }
        }
    }

    private func withWorkers(
        _ names: [String], _ faults: FaultBench, _ variables: [String: String], _ running: [ChildProcess] = [],
        _ body: ([ChildProcess]) async throws -> Void
    ) async throws {
        guard let name = names.first else {
            try await eventually(within: .seconds(60), "the server lists all workers", every: .milliseconds(100)) {
                let path = "/work_pools/\(faults.bench.pool)/workers/filter"
                return try await faults.bench.server.call("POST", path, [:]).arrayValue?.count == running.count
            }
            return try await body(running)
        }
        try await faults.bench.withWorker(name: name, variables: faults.environment(variables)) { worker in
            try await withWorkers(Array(names.dropFirst()), faults, variables, running + [worker], body)
        }
    }

    /// Changes the proxy `times` times, at random moments, and then lets everything pass again.
    private func disturb(
        _ proxy: FaultProxy, times: Int, _ random: inout FuzzRandom,
        _ change: (FaultProxy, inout FuzzRandom) async throws -> Void
    ) async throws {
        for _ in 0..<times {
            try await change(proxy, &random)
            try await Task.sleep(for: .milliseconds(Int.random(in: 50...600, using: &random)))
        }
        try await proxy.setMode(.pass)
    }

    @Test("no run and no report is lost with a delay of 300 ms in each direction")
    func latency() async throws {
        try await expectNothingLost { faults in
            try await faults.proxy.setMode(.latency(.milliseconds(300)))
        }
    }

    @Test("no run and no report is lost when connections are reset at random moments", arguments: seeds)
    func resets(seed: UInt64) async throws {
        var random = FuzzRandom(seed: seed)
        try await expectNothingLost { faults in
            try await disturb(faults.proxy, times: 25, &random) { proxy, _ in await proxy.resetConnections() }
        }
    }

    @Test(
        "no run and no report is lost while open connections transfer nothing",
        arguments: [FaultProxy.Direction.requests, .answers])
    func blackHole(_ direction: FaultProxy.Direction) async throws {
        try await expectNothingLost(["PREFECT_API_REQUEST_TIMEOUT": "2"]) { faults in
            try await faults.proxy.setMode(.blackHole(direction))
            try await Task.sleep(for: .seconds(7))
            try await faults.proxy.waitUntil("the proxy swallows bytes") { $0.swallowedBytes > 0 }
            try await faults.proxy.setMode(.pass)
        }
    }

    @Test(
        "no run and no report is lost while the API refuses all requests, and later one in three",
        arguments: TestLength.isShort ? [429, 503] : [429, 500, 502, 503])
    func refusals(status: Int) async throws {
        let refusal = FaultProxy.Interception.answer(
            status, headers: status == 429 ? [("Retry-After", "1")] : [], body: ["detail": "not now"])
        try await expectNothingLost { faults in
            faults.proxy.forgetRequests()
            faults.proxy.intercept(refusal)
            try await Task.sleep(for: .seconds(5))
            try await faults.proxy.waitUntil("a request is refused") { !$0.requests.isEmpty }
            faults.proxy.endInterceptions()
            // The number of refusals is limited, because a worker repeats a refused request more and more rarely.
            faults.proxy.intercept(times: 12, chance: .oneIn(3, seed: UInt64(status)), refusal)
        }
    }

    @Test("no run and no report is lost when answers are cut off", arguments: seeds)
    func cutAnswers(seed: UInt64) async throws {
        var random = FuzzRandom(seed: seed)
        try await expectNothingLost { faults in
            try await disturb(faults.proxy, times: 25, &random) { proxy, random in
                // The cut is in the headers or in the body. Some requests pass.
                let bytes = Int.random(in: 1...900, using: &random)
                try await proxy.setMode(random.oneIn(4) ? .pass : .cutAnswers(afterBytes: bytes))
            }
        }
    }

    @Test("no run and no report is lost when answers to applied requests are lost, with two workers on the pool")
    func lostAnswers() async throws {
        let requests: [(method: String, path: String)] = [
            ("POST", "/api/flow_runs/*/set_state"), ("PATCH", "/api/flow_runs/*"), ("POST", "/api/flow_runs/*/input"),
            ("POST", "/api/work_pools/*/get_scheduled_flow_runs"), ("POST", "/api/logs/"), ("POST", "/api/events"),
        ]
        try await expectNothingLost(workers: ["one", "two"]) { faults in
            let proxy = faults.proxy
            // Without a WebSocket, a worker sends events in requests.
            proxy.intercept(path: "/api/events/in", .answer(404))
            await proxy.resetConnections()
            proxy.forgetRequests()
            for (index, request) in requests.enumerated() {
                // The first two answers are lost, and then up to four more with a chance of one in two.
                proxy.intercept(method: request.method, path: request.path, times: 2, .loseAnswer)
                proxy.intercept(
                    method: request.method, path: request.path, times: 4, chance: .oneIn(2, seed: UInt64(index)),
                    .loseAnswer)
            }
            for request in requests {
                try await proxy.waitUntil("the proxy gets \(request)", timeout: .seconds(120)) {
                    !$0.requests(request.method, request.path).isEmpty
                }
            }
        }
    }
}
