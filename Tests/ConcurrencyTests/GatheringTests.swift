import PrefectConcurrency
import Testing

@Suite("Elements that are taken together")
struct GatheringTests {
    @Test("the elements of a moment are taken together and in their order, and each of them once")
    func together() async {
        let gathering = Gathering<Int>()
        for element in 0..<5 { gathering.add(element) }
        #expect(await gathering.next() == [0, 1, 2, 3, 4])
        gathering.add(5)
        #expect(await gathering.next() == [5])
    }

    @Test("a wait for elements ends with its task", .timeLimit(.minutes(1)))
    func cancellation() async {
        let gathering = Gathering<Int>()
        let task = Task { await gathering.next() }
        task.cancel()
        #expect(await task.value == nil)
    }
}
