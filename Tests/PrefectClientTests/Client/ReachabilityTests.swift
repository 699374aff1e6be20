import HTTPTransport
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import PrefectClient

@Suite("Requests and reports that wait during an outage of the API")
struct ReachabilityTests {
    private let start = ContinuousClock.now

    /// A pause between attempts that ends only by cancellation.
    private static let forEver: @Sendable (Duration) async throws -> Void = { _ in
        try await Task.sleep(for: .seconds(3600))
    }

    private static func request(_ name: String) -> APIRequest { APIRequest(.get, ["work_pools", .name(name)]) }

    @Test("an outage begins with a failure and ends once, with the first good answer")
    func outage() {
        var model = Reachability()
        let first = model.answered(now: start)
        model.failed(.unreachable, now: start + .seconds(2))
        #expect(!first && model.isUnreachable && model.returns == 0)
        let returned = model.answered(now: start + .seconds(30))
        let again = model.answered(now: start + .seconds(31))
        #expect(returned && !again)
        #expect(!model.isUnreachable && model.returns == 1)
    }

    @Test("a failure soon after a good answer begins no outage, and an unclear failure needs ten seconds")
    func certainty() {
        var model = Reachability()
        _ = model.answered(now: start)
        model.failed(.unreachable, now: start + .milliseconds(900))
        #expect(!model.isUnreachable)
        model.failed(.unclear, now: start + .seconds(9))
        #expect(!model.isUnreachable)
        model.failed(.unclear, now: start + .seconds(11))
        #expect(model.isUnreachable)
    }

    @Test("an attempt that fails soon after an outage is repeated soon, if attempts have no limit")
    func recovery() {
        var model = Reachability()
        model.failed(.unreachable, now: start)
        _ = model.answered(now: start + .seconds(60))
        func pause(_ seconds: Int, at moment: Int, since begun: Int, isPersistent: Bool = true) -> Duration {
            model.pause(
                .seconds(seconds), since: begun, isPersistent: isPersistent, now: start + .seconds(moment), random: 0)
        }
        #expect(pause(32, at: 61, since: 1) == .seconds(1))
        #expect(pause(32, at: 61, since: 1, isPersistent: false) == .seconds(32))
        #expect(pause(32, at: 66, since: 1) == .seconds(10))
        // The attempt began before the end of the outage.
        #expect(pause(32, at: 66, since: 0) == .seconds(1))
        #expect(pause(32, at: 66, since: 0, isPersistent: false) == .seconds(1))
    }

    @Test("unlimited attempts are at most ten seconds apart while the API answers other requests, except in outages")
    func busy() {
        var model = Reachability()
        func pause(isPersistent: Bool = true, random: Double = 0) -> Duration {
            model.pause(
                .seconds(60), since: 0, isPersistent: isPersistent, now: start + .seconds(30), random: random)
        }
        _ = model.answered(now: start)
        #expect(pause() == .seconds(10) && pause(random: 0.5) == .seconds(7.5))
        #expect(pause(isPersistent: false) == .seconds(60))
        model.failed(.unreachable, now: start + .seconds(30))
        #expect(pause() == .seconds(60))
    }

    @Test("waiting requests are repeated as soon as another request is answered")
    func requests() async throws {
        try await withFakePrefectAPI { api in
            for name in ["a", "b", "other"] { api.addPool(name: name) }
            api.script(path: "/work_pools/a", times: 1, answer: .status(503))
            api.script(path: "/work_pools/b", times: 1, answer: .closeConnection)
            try await withClient(of: api.url, sleep: Self.forEver) { client, pauses in
                try await withThrowingTaskGroup(of: APIAnswer.self) { group in
                    // "b" is sent first, because libcurl would repeat it at once on a connection that "a" had used.
                    group.addTask { try await client.send(Self.request("b"), effort: .standard) }
                    try await eventually("one request waits") { pauses.all.count == 1 }
                    group.addTask { try await client.send(Self.request("a"), effort: .persistent) }
                    try await eventually("both requests wait") { pauses.all.count == 2 }
                    _ = try await client.send(Self.request("other"))
                    try await eventually(within: .seconds(10), "both requests are repeated") {
                        ["a", "b"].allSatisfy { api.requests("GET", "/work_pools/\($0)").count == 2 }
                    }
                    var answers = 0
                    for try await answer in group where answer.status == 200 { answers += 1 }
                    #expect(answers == 2)
                }
            }
        }
    }

    @Test("a pause that the API requested is kept")
    func retryAfter() async throws {
        try await withFakePrefectAPI { api in
            for name in ["a", "b", "other"] { api.addPool(name: name) }
            let asked = api.script(path: "/work_pools/a", answer: .tooManyRequests(retryAfter: 300))
            api.script(path: "/work_pools/b", times: 1, answer: .status(503))
            try await withClient(of: api.url, sleep: Self.forEver) { client, pauses in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { _ = try? await client.send(Self.request("a"), effort: .persistent) }
                    try await eventually("the first request waits") { pauses.all.count == 1 }
                    group.addTask { _ = try await client.send(Self.request("b"), effort: .persistent) }
                    try await eventually("both requests wait") { pauses.all.count == 2 }
                    _ = try await client.send(Self.request("other"))
                    // The API did not ask this request to wait.
                    try await eventually("request b is repeated") { api.requests("GET", "/work_pools/b").count == 2 }
                    #expect(asked.uses == 1)
                    group.cancelAll()
                }
            }
        }
    }

    @Test("waiting log lines are sent as soon as a request is answered")
    func logs() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "other")
            let script = api.script(path: "/logs/", answer: .status(503))
            try await withClient(of: api.url) { client, _ in
                let logs = LogShipper(
                    api: client, interval: .zero, batchBytes: 100_000, maximumRecordBytes: 10_000, isEnabled: true,
                    logger: CapturedLog().logger)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await logs.run() }
                    logs.add(LogRecord(logger: "l", level: 20, message: "it crashed", flowRunID: "run"))
                    // After three failures the next pause is about eight seconds.
                    try await eventually(within: .seconds(30), "three attempts have failed") { script.uses == 3 }
                    script.end()
                    _ = try await client.send(Self.request("other"))
                    // Without the answered request, the line would arrive after 6.01 seconds at the earliest.
                    try await eventually(within: .seconds(5.5), "the line arrives") {
                        api.requests("POST", "/logs/").count == 4
                    }
                    group.cancelAll()
                }
            }
        }
    }

    @Test("the end of an outage reopens an event socket only after a temporary failure")
    func socket() {
        for (prospect, isOpened) in [(SocketProspect.passing, true), (.lasting, false)] {
            var machine = ReconnectMachine()
            _ = machine.want()
            let first = machine.next(now: start)
            machine.ended(prospect, now: start, random: 0)
            let isWoken = machine.retryNow()
            let next = machine.next(now: start)
            #expect(first == .open && isWoken == isOpened && (next == .open) == isOpened)
        }
    }
}
