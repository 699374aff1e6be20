import TestSupport
import Testing

@testable import BackendKit

@Suite("The state of a watch of tasks")
struct WatchStateTests {
    private let now = ContinuousClock.now

    /// A watch that describes all tasks at once.
    private func watch(isConnected: Bool = true, _ policy: WatchPolicy = WatchPolicy()) -> WatchState {
        WatchState(policy, isConnected: isConnected, at: now)
    }

    @Test("a task has ended when a description shows it or does not know the task")
    func ends() {
        var watch = watch(isConnected: false)
        #expect(watch.handle(.watched("a"), at: now) == [])
        #expect(watch.handle(.watched("b"), at: now) == [])
        #expect(watch.handle(.connected, at: now) == [.describe(call: 1, ["a", "b"])])
        #expect(watch.handle(.described(call: 1, ["a": .present]), at: now) == [.end("b", isGone: true)])
        #expect(watch.handle(.changed("a"), at: now) == [.describe(call: 2, ["a"])])
        #expect(watch.handle(.described(call: 2, ["a": .ended]), at: now) == [.end("a", isGone: false)])
        #expect(watch.count == 0 && !watch.dependsOnTime)
    }

    @Test("an event is no evidence of an end, and an event of an unwatched task is ignored")
    func events() {
        var watch = watch()
        #expect(watch.handle(.watched("a"), at: now) == [.describe(call: 1, ["a"])])
        #expect(watch.handle(.described(call: 1, ["a": .present]), at: now) == [])
        #expect(watch.handle(.changed("x"), at: now) == [])
        #expect(watch.handle(.changed(nil), at: now) == [.describe(call: 2, ["a"])])
        #expect(watch.handle(.described(call: 2, ["a": .present]), at: now) == [])
        #expect(watch.count == 1)
    }

    @Test("a description that was requested before a task was watched does not end the task")
    func stale() {
        var watch = watch()
        #expect(watch.handle(.watched("a"), at: now) == [.describe(call: 1, ["a"])])
        #expect(watch.handle(.watched("b"), at: now) == [])
        #expect(
            watch.handle(.described(call: 1, ["a": .present]), at: now) == [.describe(call: 2, ["b"])])
        #expect(watch.handle(.described(call: 2, ["b": .present]), at: now) == [])
    }

    @Test("a task that is forgotten and watched again is not ended by a description from before")
    func again() {
        var watch = watch()
        #expect(watch.handle(.watched("a"), at: now) == [.describe(call: 1, ["a"])])
        #expect(watch.handle(.forgotten("a"), at: now) == [])
        #expect(watch.handle(.watched("a"), at: now) == [])
        #expect(watch.handle(.described(call: 1, [:]), at: now) == [.describe(call: 2, ["a"])])
        #expect(watch.handle(.described(call: 2, [:]), at: now) == [.end("a", isGone: true)])
    }

    @Test("a change during a description leads to another description")
    func race() {
        var watch = watch()
        #expect(watch.handle(.watched("a"), at: now) == [.describe(call: 1, ["a"])])
        #expect(watch.handle(.changed("a"), at: now) == [])
        #expect(watch.handle(.described(call: 1, ["a": .present]), at: now) == [.describe(call: 2, ["a"])])
    }

    @Test("a lost connection ends no task, and all tasks are described after the next connection")
    func reconnect() {
        var watch = watch()
        #expect(watch.handle(.watched("a"), at: now) == [.describe(call: 1, ["a"])])
        #expect(watch.handle(.disconnected, at: now) == [])
        #expect(watch.handle(.failed(call: 1), at: now) == [])
        #expect(watch.handle(.changed("a"), at: now) == [])
        #expect(watch.lag(at: now + .seconds(7)) == .seconds(7))
        #expect(watch.handle(.connected, at: now + .seconds(7)) == [.describe(call: 2, ["a"])])
        #expect(watch.lag(at: now + .seconds(8)) == .zero)
    }

    @Test("after a resumed stream, only tasks are described of which it has sent no state since a change")
    func resumed() {
        var watch = watch(isConnected: false)
        for task in ["a", "b", "c"] { #expect(watch.handle(.watched(task), at: now) == []) }
        #expect(watch.handle(.changed(nil), at: now) == [])
        #expect(watch.handle(.reported("a", .present), at: now) == [])
        #expect(watch.handle(.reported("b", .ended), at: now) == [.end("b", isGone: false)])
        #expect(watch.handle(.reported("x", .ended), at: now) == [])
        #expect(watch.handle(.resumed, at: now) == [.describe(call: 1, ["c"])])
        #expect(watch.handle(.described(call: 1, [:]), at: now) == [.end("c", isGone: true)])
        #expect(watch.handle(.disconnected, at: now) == [])
        #expect(watch.handle(.resumed, at: now) == [])
        #expect(watch.count == 1)
    }

    @Test("a report during a description counts instead of its answer")
    func reportedMeanwhile() {
        var watch = watch()
        #expect(watch.handle(.watched("a"), at: now) == [.describe(call: 1, ["a"])])
        #expect(watch.handle(.changed("a"), at: now) == [])
        #expect(watch.handle(.reported("a", .present), at: now) == [])
        #expect(!watch.covers("a", in: 1))
        #expect(watch.handle(.described(call: 1, [:]), at: now) == [])
        #expect(watch.handle(.changed("a"), at: now) == [.describe(call: 2, ["a"])])
    }

    @Test("a deferred task is not described before its release, and afterwards only if it may have changed")
    func deferred() {
        var watch = watch()
        for task in ["a", "b", "c"] { #expect(watch.handle(.deferred(task), at: now) == []) }
        #expect(watch.handle(.released("a"), at: now) == [])
        #expect(watch.handle(.changed("a"), at: now) == [.describe(call: 1, ["a"])])
        #expect(watch.handle(.connected, at: now) == [])
        #expect(watch.handle(.described(call: 1, ["a": .present]), at: now) == [.describe(call: 2, ["a"])])
        #expect(watch.handle(.reported("b", .present), at: now) == [])
        #expect(watch.handle(.described(call: 2, ["a": .present]), at: now) == [])
        #expect(watch.handle(.released("b"), at: now) == [])
        #expect(watch.handle(.released("c"), at: now) == [.describe(call: 3, ["c"])])
    }

    @Test("a description that fails is repeated after a pause that grows")
    func failures() {
        var watch = watch()
        var time = now
        #expect(watch.handle(.watched("a"), at: time) == [.describe(call: 1, ["a"])])
        for (call, pause) in [(1, 1), (2, 2), (3, 4)] {
            #expect(watch.handle(.failed(call: call), at: time) == [])
            #expect(watch.dependsOnTime)
            #expect(watch.handle(.tick, at: time + .seconds(pause) - .milliseconds(1)) == [])
            time += .seconds(pause)
            #expect(watch.handle(.tick, at: time) == [.describe(call: call + 1, ["a"])])
        }
    }

    @Test("descriptions are limited in their size, their number and their rate")
    func limits() {
        var watch = watch(WatchPolicy(batchSize: 2, concurrency: 2, spacing: .seconds(5)))
        #expect(watch.handle(.watched("a"), at: now) == [.describe(call: 1, ["a"])])
        for task in ["b", "c", "d"] { #expect(watch.handle(.watched(task), at: now) == []) }
        #expect(watch.handle(.tick, at: now + .seconds(4)) == [])
        #expect(watch.handle(.tick, at: now + .seconds(5)) == [.describe(call: 2, ["b", "c"])])
        // Two are under way.
        #expect(watch.handle(.tick, at: now + .seconds(10)) == [])
        #expect(
            watch.handle(.described(call: 1, ["a": .present]), at: now + .seconds(11)) == [.describe(call: 3, ["d"])])
    }

    @Test("a service that may not know a new task yet must miss it several times in a row")
    func absences() {
        var watch = watch(WatchPolicy(absences: 3, absencePause: .seconds(5)))
        var time = now
        var call = 1
        #expect(watch.handle(.watched("a"), at: time) == [.describe(call: 1, ["a"])])
        func next(_ finding: WatchState.Finding?) -> [WatchState.Action] {
            let end = watch.handle(.described(call: call, finding.map { ["a": $0] } ?? [:]), at: time)
            guard end.isEmpty else { return end }
            time += .seconds(5)
            call += 1
            return watch.handle(finding == nil ? .tick : .changed("a"), at: time)
        }
        for finding in [nil, nil, .present, nil, nil] as [WatchState.Finding?] {
            #expect(next(finding) == [.describe(call: call, ["a"])])
        }
        #expect(next(nil) == [.end("a", isGone: true)])
    }

    @Test("a polled task is described at intervals that grow with its age, and the lag is what is overdue")
    func intervals() {
        var watch = watch(WatchPolicy(interval: WatchPolicy.polling))
        #expect(watch.handle(.watched("a"), at: now) == [.describe(call: 1, ["a"])])
        #expect(watch.handle(.described(call: 1, ["a": .present]), at: now) == [])
        #expect(watch.handle(.tick, at: now + .seconds(4)) == [])
        #expect(watch.lag(at: now + .seconds(8)) == .seconds(3))
        #expect(watch.handle(.tick, at: now + .seconds(5)) == [.describe(call: 2, ["a"])])
        let later = now + .seconds(700)
        #expect(watch.handle(.described(call: 2, ["a": .present]), at: later) == [])
        #expect(watch.handle(.tick, at: later + .seconds(29)) == [])
        #expect(watch.handle(.tick, at: later + .seconds(30)) == [.describe(call: 3, ["a"])])
    }

    @Test("in any order of inputs, a task ends at most once, is covered by one description, and is never lost")
    func anyOrder() async throws {
        try await Fuzz.run(mostCases: 5000) { random in
            let policy = WatchPolicy(
                batchSize: 1 + random.below(3), concurrency: 1 + random.below(3), absences: 1 + random.below(2)
            ) { _ in .seconds(1) }
            var watch = WatchState(policy, isConnected: random.oneIn(2), at: now)
            var time = now
            var pending: [Int: [String]] = [:]
            var watched: Set<String> = []
            func act(_ input: WatchState.Input) throws {
                for action in watch.handle(input, at: time) {
                    switch action {
                    case .describe(let call, let tasks):
                        guard tasks.count <= policy.batchSize, Set(tasks).isSubset(of: watched) else {
                            throw WaitTimeout(what: "a description", timeout: .zero, detail: "\(tasks)")
                        }
                        pending[call] = tasks
                    case .end(let task, _):
                        guard watched.remove(task) != nil else {
                            throw WaitTimeout(what: "one end", timeout: .zero, detail: "two of \(task)")
                        }
                    }
                }
                guard pending.count <= policy.concurrency, watch.count == watched.count else {
                    throw WaitTimeout(what: "the limits", timeout: .zero, detail: "\(pending)")
                }
            }
            for _ in 0..<60 {
                time += .milliseconds(random.below(1500))
                let task = random.pick(["a", "b", "c", "d", "e"])
                switch random.below(12) {
                case 0: try act(.connected)
                case 1: try act(.disconnected)
                case 8: try act(.resumed)
                case 9:
                    watched.insert(task)
                    try act(.deferred(task))
                case 10: try act(.released(task))
                case 11: try act(.reported(task, random.oneIn(4) ? .ended : .present))
                case 2:
                    watched.insert(task)
                    try act(.watched(task))
                case 3:
                    watched.remove(task)
                    try act(.forgotten(task))
                case 4: try act(.changed(random.oneIn(4) ? nil : task))
                case 5: try act(.tick)
                case 6:
                    guard let call = pending.keys.min(), pending.removeValue(forKey: call) != nil else { continue }
                    try act(.failed(call: call))
                default:
                    guard let call = pending.keys.max(), let tasks = pending.removeValue(forKey: call) else { continue }
                    var findings: [String: WatchState.Finding] = [:]
                    for task in tasks where !random.oneIn(5) { findings[task] = random.oneIn(4) ? .ended : .present }
                    try act(.described(call: call, findings))
                }
            }
            // Once the service answers, every task comes to its end.
            for task in watched { try act(.released(task)) }
            try act(.connected)
            for _ in 0..<40 where !watched.isEmpty {
                while let call = pending.keys.min() {
                    pending[call] = nil
                    try act(.described(call: call, [:]))
                }
                time += .seconds(60)
                try act(.tick)
            }
            guard watched.isEmpty else { throw WaitTimeout(what: "all ends", timeout: .zero, detail: "\(watched)") }
        }
    }
}
