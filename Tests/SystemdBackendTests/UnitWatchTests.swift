import Systemd
import Testing

@testable import SystemdBackend

@Suite("Watching units")
struct UnitWatchTests {
    private let running = UnitStatus(activeState: "active", hasJob: false)
    private let failed = UnitStatus(activeState: "failed", hasJob: false)

    @Test("a unit that is missing from a list has ended, and one that is about to start has not")
    func ends() {
        var watch = UnitWatch()
        #expect(watch.handle(.watched("a")) == [])
        #expect(watch.handle(.watched("b")) == [])
        #expect(watch.handle(.connected) == [.list])
        let starting = UnitStatus(activeState: "inactive", hasJob: true)
        #expect(watch.handle(.listed(["a": starting])) == [.end("b")])
        #expect(watch.handle(.changed("a")) == [.list])
        #expect(watch.handle(.listed(["a": running])) == [])
        #expect(watch.handle(.changed("a")) == [.list])
        #expect(watch.handle(.listed(["a": failed])) == [.end("a")])
        #expect(watch.handle(.tick) == [])
    }

    @Test("a signal does not prove an end, and a signal of an unwatched unit is ignored")
    func signals() {
        var watch = UnitWatch()
        _ = watch.handle(.connected)
        #expect(watch.handle(.watched("a")) == [.list])
        #expect(watch.handle(.listed(["a": running])) == [])
        #expect(watch.handle(.changed("x")) == [])
        // A manager that reloads reports all units as removed.
        #expect(watch.handle(.changed("a")) == [.list])
        #expect(watch.handle(.listed(["a": running])) == [])
        #expect(watch.handle(.changed(nil)) == [.list])
    }

    @Test("a list requested before a unit was watched does not end the unit, and another list follows")
    func stale() {
        var watch = UnitWatch()
        _ = watch.handle(.connected)
        #expect(watch.handle(.watched("a")) == [.list])
        #expect(watch.handle(.watched("b")) == [])
        #expect(watch.handle(.listed(["a": running])) == [.list])
        #expect(watch.handle(.listed(["a": running])) == [.end("b")])
    }

    @Test("a lost connection ends no unit, and all units are listed after the next connection")
    func reconnect() {
        var watch = UnitWatch()
        _ = watch.handle(.connected)
        _ = watch.handle(.watched("a"))
        #expect(watch.handle(.disconnected) == [])
        #expect(watch.handle(.listingFailed) == [])
        #expect(watch.handle(.changed("a")) == [])
        #expect(watch.handle(.connected) == [.list])
        #expect(watch.handle(.listingFailed) == [.listLater])
        #expect(watch.handle(.changed(nil)) == [.list])
        #expect(watch.handle(.listed([:])) == [.end("a")])
    }

    @Test("a unit that is forgotten meanwhile is not reported")
    func forgotten() {
        var watch = UnitWatch()
        _ = watch.handle(.connected)
        _ = watch.handle(.watched("a"))
        #expect(watch.handle(.forgotten("a")) == [])
        #expect(watch.handle(.listed([:])) == [])
    }
}
