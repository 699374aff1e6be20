import PrefectConcurrency
import TestSupport
import Testing

@Suite("Signals between tasks")
struct AsyncSignalTests {
    @Test("signals without a waiter are kept for the next wait, as a single signal")
    func kept() async {
        let wakeup = AsyncSignal()
        wakeup.signal()
        wakeup.signal()
        await wakeup.wait()
        let start = ContinuousClock.now
        await wakeup.wait(atMost: .milliseconds(20))
        #expect(ContinuousClock.now - start >= .milliseconds(20))
    }

    @Test("a signal or a cancellation ends a wait")
    func ends() async throws {
        let wakeup = AsyncSignal()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await wakeup.wait() }
            group.addTask { wakeup.signal() }
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await wakeup.wait() }
            group.cancelAll()
        }
    }

    @Test("a signal does not end a wait whose condition is false")
    func meant() async throws {
        let wakeup = AsyncSignal()
        let isMeant = Gate()
        let hasEnded = Gate()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                await wakeup.wait(atMost: .seconds(600), unless: { isMeant.isOpen })
                hasEnded.open()
            }
            for _ in 1...5 {
                wakeup.signal()
                for _ in 1...10 { await Task.yield() }
            }
            #expect(!hasEnded.isOpen)
            isMeant.open()
            wakeup.signal()
            try await group.waitForAll()
        }
    }
}
