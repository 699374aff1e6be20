import BackendKit
import Foundation
import Testing

@testable import WorkerKit

@Suite("The path of a run")
struct RunMachineTests {
    private static let events: [RunMachine.Event] = {
        let infrastructure: [RunMachine.Infrastructure] =
            [.neverStarted, .present, .outOfReach] + RunMachine.End.allCases.map { .ended($0) }
        let situations: [RunStatus.Situation] = [.deleted, .waiting, .pending, .running, .cancelling, .final]
        let statuses = situations.flatMap { situation in
            [(false, false), (false, true), (true, false), (true, true)].map { isOurs, mayBeClaimed in
                RunStatus(situation: situation, isOurs: isOurs, mayBeClaimed: mayBeClaimed)
            }
        }
        return [
            .done, .settled, .refused, .refusedForCancellation, .unanswered(again: true), .unanswered(again: false),
            .deleted, .deploymentDeleted, .failed, .stale, .interrupted,
        ] + RunMachine.Reading.allCases.map { .read($0) } + statuses.map { .status($0) }
            + infrastructure.map { .found($0) } + RunMachine.End.allCases.map { .ended($0) }
    }()

    /// All states of the machine that any sequence of events and stop requests can reach.
    private static let machines: Set<RunMachine> = {
        var known: Set<RunMachine> = [RunMachine()]
        for stage in RunStage.allCases {
            for (isSettled, isGivenUp) in [(false, false), (true, false), (false, true), (true, true)] {
                known.insert(RunMachine(recoveredAt: stage, isSettled: isSettled, isGivenUp: isGivenUp))
            }
        }
        var open = Array(known)
        while let machine = open.popLast() {
            var next = [machine, machine]
            next[0].requestStop(.cancelled)
            next[1].requestStop(.shutdown)
            for event in events {
                var moved = machine
                if moved.handle(event) { next.append(moved) }
            }
            for machine in next where known.insert(machine).inserted { open.append(machine) }
        }
        return known
    }()

    /// For each step, the steps that may follow it.
    private static let moves: [RunMachine.Step: Set<RunMachine.Step>] = {
        var moves: [RunMachine.Step: Set<RunMachine.Step>] = [:]
        for machine in machines {
            for event in events {
                var moved = machine
                guard moved.handle(event), moved.step != machine.step else { continue }
                moves[machine.step, default: []].insert(moved.step)
            }
        }
        return moves
    }()

    @Test("the documentation lists exactly the moves that the machine makes")
    func drawing() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/WorkerKit/WorkerKit.docc/WorkerKit.md")
        let lines = try String(contentsOf: page, encoding: .utf8).split(separator: "\n")
        let drawn = lines.filter { $0.hasPrefix("    ") && $0.contains(" -> ") }
            .map { $0.split(separator: " ").joined(separator: " ") }
        let made = RunMachine.Step.allCases.compactMap { step -> String? in
            let next = RunMachine.Step.allCases.filter { Self.moves[step]?.contains($0) == true }
            return next.isEmpty ? nil : "\(step) -> " + next.map { "\($0)" }.joined(separator: " | ")
        }
        #expect(drawn == made, "\(made.map { "    " + $0 }.joined(separator: "\n"))")
    }

    @Test("every step can be reached, and an end can be reached from every step", arguments: RunMachine.Step.allCases)
    func ends(step: RunMachine.Step) {
        #expect(Self.machines.contains { $0.step == step })
        var reached: Set<RunMachine.Step> = [step]
        var open = [step]
        while let step = open.popLast() {
            for next in Self.moves[step] ?? [] where reached.insert(next).inserted { open.append(next) }
        }
        #expect(reached.contains(.finished) || reached.contains(.left))
    }

    @Test("no step of a run with infrastructure leads back to the claim or the start")
    func isNotStartedTwice() {
        for step in [RunMachine.Step.watch, .readBeforeReport, .readAfterEnd, .crash, .cancel, .conclude, .cleanUp] {
            #expect(Self.moves[step]?.isDisjoint(with: [.claim, .configure, .submit, .start]) != false)
        }
    }

    @Test("a result that a step cannot have changes nothing")
    func impossibleResults() {
        for machine in Self.machines {
            for event in Self.events {
                var moved = machine
                if !moved.handle(event) { #expect(moved == machine) }
            }
        }
    }

    @Test("a run that is passed to the next process keeps its stage, and a finished run stays finished")
    func leaving() {
        for machine in Self.machines {
            var left = machine
            left.leave()
            #expect(left.stage == machine.stage)
            #expect(left.step == (machine.step == .finished ? .finished : .left))
        }
    }

    private func advance(_ machine: inout RunMachine, _ event: RunMachine.Event) {
        let isLegal = machine.handle(event)
        #expect(isLegal, "\(machine.step) cannot have the result \(event)")
    }

    /// A run that has had these results, from the poll on.
    private func machine(_ events: RunMachine.Event...) -> RunMachine {
        var machine = RunMachine()
        for event in events { advance(&machine, event) }
        return machine
    }

    @Test("a run whose infrastructure may have given it back is reported only if it is still this worker's")
    func givenBack() {
        var machine = machine(.done, .done, .done, .done, .done, .ended(.failedOrGaveBack))
        #expect(machine.step == .readBeforeReport)
        var other = machine
        advance(&machine, .status(RunStatus(situation: .running, isOurs: true)))
        #expect(machine.step == .crash)
        advance(&other, .status(RunStatus(situation: .running, isOurs: false)))
        #expect(other.step == .conclude)
    }

    @Test("a claim that is refused because of a cancellation is settled before the run is cancelled")
    func refusedClaim() {
        var machine = machine(.refusedForCancellation)
        let status = RunMachine.Event.status(RunStatus(situation: .cancelling, isOurs: true))
        for (event, step) in [
            (status, RunMachine.Step.settle), (.settled, .readCancelling), (status, .cancelUnstarted),
            (.done, .finished),
        ] {
            advance(&machine, event)
            #expect(machine.step == step)
        }
        #expect(machine.outcome == .cancelled)
    }

    @Test("a run whose interrupted start cannot be examined is left to the next process")
    func outOfReach() {
        var machine = machine(.done, .done, .done, .done)
        machine.requestStop(.shutdown)
        advance(&machine, .interrupted)
        advance(&machine, .found(.outOfReach))
        #expect(machine.step == .left && machine.stage == .submitted)
    }
}
