import PrefectConcurrency
import TestSupport
import Testing

@Suite("A value that others wait for")
struct ObservedValueTests {
    @Test("a change returns its result, and later readers see the new value")
    func changes() {
        let value = ObservedValue(1)
        let before = value.update { value in
            defer { value += 1 }
            return value
        }
        #expect(before == 1 && value.value == 2)
    }

    @Test("a wait ends at once when the condition is met, and otherwise with the change that meets it")
    func waits() async throws {
        let value = ObservedValue(0)
        await value.wait { $0 == 0 }
        let hasEnded = Gate()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 1...3 {
                group.addTask {
                    await value.wait { $0 >= 2 }
                    hasEnded.open()
                }
            }
            value.update { $0 = 1 }
            for _ in 1...20 { await Task.yield() }
            #expect(!hasEnded.isOpen)
            value.update { $0 = 2 }
            try await group.waitForAll()
        }
    }

    @Test("cancellation ends a wait")
    func cancelled() async {
        let value = ObservedValue(0)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await value.wait { $0 == 1 } }
            group.addTask { await value.wait(by: .now + .seconds(600)) { $0 == 1 } }
            group.cancelAll()
        }
    }

    @Test("a deadline ends a wait, and so does a change before it")
    func deadline() async {
        let value = ObservedValue(0)
        let start = ContinuousClock.now
        await value.wait(by: start + .milliseconds(20)) { $0 == 1 }
        #expect(ContinuousClock.now - start >= .milliseconds(20))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await value.wait(by: .now + .seconds(600)) { $0 == 1 } }
            group.addTask { value.update { $0 = 1 } }
        }
        await value.wait(by: start) { $0 == 1 }
    }
}
