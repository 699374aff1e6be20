import Testing

@testable import WorkerKit

@Suite("Reasons to poll before the ordinary time")
struct PollAgendaTests {
    private let start = ContinuousClock.now

    /// Makes a number of polls that find no run, each as early as the agenda allows. Returns the pauses before them.
    private func pollInVain(_ agenda: inout PollAgenda, times: Int) -> [Duration] {
        var now = start
        return (0..<times).map { number in
            agenda.announce("run \(number)")
            let next = agenda.nextPoll(now: now) ?? now
            defer { now = next }
            _ = agenda.beginPoll(now: next)
            agenda.endPoll(bringingRuns: false, now: next)
            return next - now
        }
    }

    @Test("without a reason only the ordinary polls are made")
    func none() {
        var agenda = PollAgenda()
        #expect(agenda.nextPoll(now: start) == nil)
        #expect(agenda.beginPoll(now: start).isEmpty)
        agenda.endPoll(bringingRuns: false, now: start)
        #expect(agenda.nextPoll(now: start + .seconds(1)) == nil)
    }

    @Test("an announced run causes an immediate poll, and a burst of announcements causes one more")
    func burst() {
        var agenda = PollAgenda()
        agenda.announce("a")
        #expect(agenda.nextPoll(now: start) == start)
        #expect(agenda.beginPoll(now: start) == ["a"])
        agenda.endPoll(bringingRuns: true, now: start)
        for number in 0..<100 { agenda.announce("\(number)") }
        #expect(agenda.nextPoll(now: start + .milliseconds(1)) == start + .milliseconds(200))
        #expect(agenda.beginPoll(now: start + .milliseconds(200)).count == 100)
        #expect(agenda.nextPoll(now: start + .seconds(1)) == nil)
    }

    @Test("a run that is due later causes a poll at its due time")
    func later() {
        var agenda = PollAgenda()
        agenda.expect(at: [start + .seconds(60), start + .seconds(30)])
        #expect(agenda.nextPoll(now: start) == start + .seconds(30))
        _ = agenda.beginPoll(now: start + .seconds(10))
        #expect(agenda.nextPoll(now: start + .seconds(10)) == start + .seconds(30))
        _ = agenda.beginPoll(now: start + .seconds(31))
        #expect(agenda.nextPoll(now: start + .seconds(31)) == start + .seconds(60))
        #expect(agenda.nextPoll(now: start + .seconds(61)) == start + .seconds(61))
    }

    @Test("early polls that find no run become rare until a poll finds runs")
    func fruitless() {
        var agenda = PollAgenda()
        let pauses = pollInVain(&agenda, times: 20)
        #expect(pauses.prefix(10).allSatisfy { $0 <= .milliseconds(200) })
        #expect(pauses.suffix(8).allSatisfy { $0 == .seconds(2) })
        let last = pauses.reduce(start, +)
        _ = agenda.beginPoll(now: last + .seconds(2))
        agenda.endPoll(bringingRuns: true, now: last + .seconds(2))
        agenda.announce("a")
        #expect(agenda.nextPoll(now: last + .seconds(3)) == last + .seconds(3))
    }

    @Test("ordinary polls use no credit, and time restores the credit of fruitless polls")
    func credit() {
        var agenda = PollAgenda()
        for second in 0..<100 {
            _ = agenda.beginPoll(now: start - .seconds(1000 - second))
            agenda.endPoll(bringingRuns: false, now: start - .seconds(1000 - second))
        }
        _ = pollInVain(&agenda, times: 10)
        let later = start + .seconds(60)
        _ = agenda.beginPoll(now: later)
        agenda.endPoll(bringingRuns: false, now: later)
        agenda.announce("a")
        #expect(agenda.nextPoll(now: later + .seconds(1)) == later + .seconds(1))
    }

    @Test("while polls fail, only a sign that the API is available again ends a pause")
    func failing() {
        var agenda = PollAgenda()
        agenda.announce("a")
        agenda.expect(at: [start])
        #expect(agenda.nextPoll(now: start, whileFailing: true) == nil)
        agenda.ask()
        #expect(agenda.nextPoll(now: start, whileFailing: true) == start)
    }

    @Test("the agenda stores at most a thousand announced runs and a thousand due times")
    func bounds() {
        var agenda = PollAgenda()
        for number in 0..<5_000 { agenda.announce("\(number)") }
        agenda.expect(at: (0..<5_000).map { start + .seconds(5_000 - $0) })
        #expect(agenda.beginPoll(now: start).count == 1_000)
        #expect(agenda.nextPoll(now: start) == start + .seconds(1))
        _ = agenda.beginPoll(now: start + .seconds(1_000))
        #expect(agenda.nextPoll(now: start + .seconds(1_000)) == nil)
    }
}
