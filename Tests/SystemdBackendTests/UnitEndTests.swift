import BackendKit
import Testing

@testable import SystemdBackend

@Suite("Ends of units")
struct UnitEndTests {
    @Test(
        "exit codes and signals are those that systemd reports",
        arguments: [
            ("success\nexited\n0\n", 0), ("exit-code\nexited\n7\n", 7), ("signal\nkilled\nKILL\n", -9),
            ("signal\nkilled\nUSR1\n", -10), ("success\nkilled\nTERM\n", -15), ("core-dump\ndumped\nSEGV\n", -11),
            ("signal\nkilled\n40\n", -40),
        ])
    func codes(_ text: String, _ code: Int) throws {
        #expect(try #require(UnitEnd(text: text)).status(UnitLimits(), lastOutput: nil).code == code)
    }

    @Test("a unit that never had a process has no exit code, and an incomplete text is no end")
    func none() throws {
        let end = try #require(UnitEnd(text: "resources\n\n\n"))
        #expect(end.code == nil)
        #expect(end.status(UnitLimits(), lastOutput: "x").reason?.contains("could not provide the resources") == true)
        #expect(UnitEnd(text: "") == nil)
        #expect(UnitEnd(text: "success\n") == nil)
        #expect(UnitEnd(text: "\n\n\n") == nil)
    }

    @Test("a run that ran out of memory has a reason with the limit")
    func memory() throws {
        let limits = UnitLimits(memory: "64M")
        let end = try #require(UnitEnd(text: "oom-kill\nkilled\nKILL\n"))
        let status = end.status(limits, lastOutput: "last")
        #expect(status.code == -9 && status.lastOutput == "last")
        #expect(status.reason == "The run ran out of memory: the kernel killed it (OOM) at its memory_max of 64M.")
        // If the manager does not learn of the lack of memory, only the signal and the limit are known.
        let killed = try #require(UnitEnd(text: "signal\nkilled\nKILL\n"))
        #expect(killed.status(limits, lastOutput: nil).reason?.contains("memory_max of 64M") == true)
        #expect(killed.status(UnitLimits(), lastOutput: nil).reason == nil)
    }

    @Test("a run that exceeds its time limit has not completed, even if it then exits with code 0")
    func timeout() throws {
        let end = try #require(UnitEnd(text: "timeout\nexited\n0\n"))
        let status = end.status(UnitLimits(runtime: "5"), lastOutput: nil)
        #expect(status.code == -15)
        #expect(status.reason == "The run took longer than its runtime_max_sec of 5 s and was ended.")
        // Without such a limit, only remaining processes of the run took too long to stop.
        #expect(end.status(UnitLimits(), lastOutput: nil).code == 0)
        #expect(end.status(UnitLimits(), lastOutput: nil).reason == nil)
    }

    @Test("an exit code of systemd itself is explained")
    func ownCodes() throws {
        let end = try #require(UnitEnd(text: "exit-code\nexited\n226\n"))
        #expect(end.status(UnitLimits(), lastOutput: nil).reason?.contains("sandboxing variables") == true)
    }
}
