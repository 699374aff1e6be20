import BackendKit
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@testable import WorkerKit

@Suite("Pauses between polls")
struct PollPacerTests {
    @Test("the ordinary pause is the interval with jitter")
    func ordinary() {
        var pacer = PollPacer(interval: .seconds(10))
        for random in stride(from: 0, to: 1, by: 0.05) {
            let pause = pacer.pause(after: .answered(mayHaveMore: false), random: random).inSeconds
            #expect((9...12).contains(pause))
        }
        let pauses = (0..<1000).map { pacer.pause(after: .answered(mayHaveMore: false), random: Double($0) / 1000) }
        #expect(pauses.reduce(.zero, +) / 1000 > .seconds(10))
    }

    @Test("further waiting runs are fetched soon, but not immediately")
    func more() {
        var pacer = PollPacer(interval: .seconds(10))
        #expect(pacer.pause(after: .answered(mayHaveMore: true), random: 0.5) == .milliseconds(500))
        var fast = PollPacer(interval: .milliseconds(100))
        #expect(fast.pause(after: .answered(mayHaveMore: true), random: 0.5) < .milliseconds(150))
    }

    @Test("pauses after failures grow to about a minute, and one answer ends this")
    func backoff() {
        var pacer = PollPacer(interval: .seconds(10))
        let pauses = (1...2000).map { _ in pacer.pause(after: .failed(retryAfter: nil), random: 0.9999).inSeconds }
        #expect(pauses.allSatisfy { $0 <= 78.001 })
        #expect(pauses[0] <= 13 && pauses[1] > 15 && pauses[2] > 30)
        _ = pacer.pause(after: .answered(mayHaveMore: false), random: 0)
        #expect(pacer.failures == 0)
        #expect(pacer.pause(after: .failed(retryAfter: nil), random: 0.5).inSeconds <= 13)
    }

    @Test("a pause that the API requests is a minimum")
    func retryAfter() {
        var pacer = PollPacer(interval: .seconds(10))
        #expect(pacer.pause(after: .failed(retryAfter: .seconds(300)), random: 0.5) == .seconds(300))
        #expect(pacer.pause(after: .failed(retryAfter: .zero), random: 0.5) > .seconds(5))
    }
}

@Suite("Slots")
struct SlotLimiterTests {
    @Test("a slot is freed once, however often it is released")
    func once() {
        let limiter = SlotLimiter(limit: 2)
        let first = limiter.take()
        let second = limiter.take()
        #expect(limiter.take() == nil)
        #expect(limiter.free == 0)
        first?.release()
        first?.release()
        #expect(limiter.free == 1)
        second?.release()
        #expect(limiter.used == 0)
    }

    @Test("a slot that is no longer referenced is freed")
    func letGo() {
        let limiter = SlotLimiter(limit: 1)
        do { _ = limiter.take() }
        #expect(limiter.free == 1)
    }

    @Test("without a limit there is always a slot")
    func unlimited() {
        let limiter = SlotLimiter(limit: nil)
        let slots = (0..<1000).compactMap { _ in limiter.take() }
        #expect(slots.count == 1000)
        #expect(limiter.free == nil)
        #expect(limiter.used == 1000)
    }

    @Test("the slots of two pools also count against their common limit")
    func within() async {
        let both = SlotLimiter(limit: 3)
        let (first, second) = (SlotLimiter(limit: 2, within: both), SlotLimiter(limit: nil, within: both))
        let active = [first.take(), first.take(), second.take()]
        #expect(active.allSatisfy { $0 != nil })
        #expect(first.free == 0 && second.free == 0)
        #expect(second.take() == nil && second.used == 1)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await second.waitForFreeSlot() }
            group.addTask { active[0]?.release() }
        }
        #expect(first.free == 1 && second.free == 1)
        let restored = [first, first, second].map { $0.takeBeyondLimit() }
        #expect(both.used == 5 && first.free == 0 && second.free == 0)
        withExtendedLifetime(restored) {}
    }

    @Test("a free slot ends a wait for a slot, and so does cancellation")
    func waiting() async {
        let limiter = SlotLimiter(limit: 1)
        let slot = limiter.take()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await limiter.waitForFreeSlot() }
            group.addTask { slot?.release() }
        }
        let other = limiter.take()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await limiter.waitForFreeSlot() }
            group.cancelAll()
        }
        other?.release()
    }
}

@Suite("Meaning of exit codes")
struct ExitHintTests {
    @Test(
        "every code has an explanation and a remedy", arguments: [-15, -11, -9, 0, 1, 2, 125, 126, 127, 137, 143, 247])
    func hints(code: Int) {
        let hint = ExitHint(code: code)
        #expect(hint.explanation.hasSuffix(".") && hint.resolution.hasSuffix("."))
        #expect(!hint.explanation.contains("\n"))
    }

    @Test("common exit codes have different hints")
    func distinct() {
        let hints = [0, -9, -15, -11, 1, 125, 126, 127, 137, 143, 247, 3].map { ExitHint(code: $0) }
        #expect(Set(hints).count == hints.count)
        #expect(ExitHint(code: -11).explanation.contains("signal 11"))
    }
}

@Suite("Shutdown signal")
struct ShutdownSignalTests {
    @Test("the phases of a shutdown only advance, and each advance ends the waits for its phase")
    func phases() async {
        let signal = ShutdownSignal()
        #expect(signal.isServing)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await signal.wait(for: .draining) }
            group.addTask { await signal.sleep(for: .seconds(600)) }
            group.addTask { signal.escalate() }
        }
        #expect(signal.phase == .draining)
        signal.advance(to: .serving)
        #expect(signal.phase == .draining)
        signal.escalate()
        signal.escalate()
        #expect(signal.phase == .stopping)
        await signal.wait(for: .stopping)
        await signal.sleep(for: .seconds(600))
    }

    @Test("a part of the worker is never behind the phase of the whole worker, but may be ahead of it")
    func parts() async {
        let whole = ShutdownSignal()
        let (one, other) = (ShutdownSignal(within: whole), ShutdownSignal(within: whole))
        one.advance(to: .draining)
        await one.wait(for: .draining)
        #expect(!one.isServing && other.isServing && whole.isServing)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await other.wait(for: .draining) }
            group.addTask { whole.refuse("the first reason") }
        }
        whole.refuse("another reason")
        #expect(!other.isServing && whole.refusal == "the first reason")
    }

    @Test("cancellation ends a wait for a phase")
    func cancelled() async {
        let signal = ShutdownSignal()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await signal.wait(for: .stopping) }
            group.cancelAll()
        }
        #expect(signal.isServing)
    }
}

@Suite("Registry of held runs")
struct RunRegistryTests {
    private func run(_ id: String) -> KnownRun {
        KnownRun(FlowRun(unchecked: ["id": .string(id), "name": "n", "flow_id": "f"]))
    }

    @Test("a run is held once")
    func once() throws {
        let registry = RunRegistry(workerName: "tester")
        let active = try #require(registry.register(run("a")))
        #expect(registry.register(run("a")) == nil)
        #expect(registry.unclaimedCount == 1)
        for event in [RunMachine.Event.done, .settled] { #expect(try active.handle(event) == (event == .settled)) }
        #expect(registry.unclaimedCount == 0)
        #expect(registry.count == 1)
    }

    @Test("a run that is removed during a poll is not taken from that poll's answer, but from the next one")
    func letGo() throws {
        let registry = RunRegistry(workerName: "tester")
        let active = try #require(registry.register(run("a")))
        registry.beginPoll()
        registry.remove(active)
        #expect(registry.register(run("a")) == nil)
        registry.beginPoll()
        #expect(registry.register(run("a")) != nil)
    }

    @Test("a cancellation has precedence over a shutdown, and the end of a run ends the wait for either")
    func stopRequests() async throws {
        let registry = RunRegistry(workerName: "tester")
        let active = try #require(registry.register(run("a")))
        active.requestStop(.shutdown)
        #expect(await active.waitForStopRequest() == .shutdown)
        active.requestStop(.cancelled)
        active.requestStop(.shutdown)
        #expect(active.stopReason == .cancelled)
        let other = try #require(registry.register(run("b")))
        async let request = other.waitForStopRequest()
        for event in [.done, .done, .done, .done, .done, .ended(.silent)] as [RunMachine.Event] {
            _ = try other.handle(event)
        }
        #expect(await request == nil)
    }
}
