import Testing

@testable import Systemd

@Suite("Notifications of a service to its manager")
struct ServiceNoticesTests {
    private static let start = ContinuousClock.now

    private func state(
        _ status: String = "serving", hasStarted: Bool = true, isStopping: Bool = false, isAlive: Bool = true
    ) -> ServiceNotices.State {
        ServiceNotices.State(status: status, hasStarted: hasStarted, isStopping: isStopping, isAlive: isAlive)
    }

    @Test("a service asks for time until it has started, and then reports that it is ready")
    func start() {
        var notices = ServiceNotices(watchdog: nil)
        let now = Self.start
        let beginning = state("the API does not answer", hasStarted: false)
        #expect(
            notices.next(beginning, now: now)
                == [.status("the API does not answer"), .extendTimeout(.seconds(30))])
        #expect(notices.next(beginning, now: now + .seconds(1)).isEmpty)
        #expect(notices.next(beginning, now: now + .seconds(5)) == [.extendTimeout(.seconds(30))])
        #expect(notices.next(state(), now: now + .seconds(6)) == [.ready, .status("serving")])
        #expect(notices.next(state(), now: now + .seconds(60)).isEmpty)
        #expect(notices.next(state("other", hasStarted: false), now: now + .seconds(70)) == [.status("other")])
    }

    @Test("a service reports once that it is stopping, and asks for time until it ends")
    func stop() {
        var notices = ServiceNotices(watchdog: nil)
        let now = Self.start
        _ = notices.next(state(), now: now)
        let draining = state("draining", isStopping: true)
        #expect(
            notices.next(draining, now: now + .seconds(1))
                == [.stopping, .status("draining"), .extendTimeout(.seconds(30))])
        #expect(notices.next(draining, now: now + .seconds(2)).isEmpty)
        #expect(notices.next(draining, now: now + .seconds(6)) == [.extendTimeout(.seconds(30))])
    }

    @Test("a service that stops before it has started never reports that it is ready")
    func early() {
        var notices = ServiceNotices(watchdog: nil)
        let told = notices.next(state(isStopping: true), now: Self.start)
        #expect(told.contains(.stopping) && !told.contains(.ready))
        #expect(!notices.next(state(isStopping: true), now: Self.start + .seconds(1)).contains(.ready))
    }

    @Test("the watchdog is notified three times per interval while the loops make progress")
    func watchdog() {
        var notices = ServiceNotices(watchdog: .seconds(9))
        let now = Self.start
        #expect(notices.next(state(), now: now).contains(.watchdog))
        #expect(!notices.next(state(), now: now + .seconds(2)).contains(.watchdog))
        #expect(notices.next(state(), now: now + .seconds(3)) == [.watchdog])
        #expect(notices.next(state(isAlive: false), now: now + .seconds(6)).isEmpty)
        #expect(notices.next(state(isAlive: false), now: now + .seconds(60)).isEmpty)
        #expect(notices.next(state(), now: now + .seconds(61)) == [.watchdog])
    }

    @Test("a service whose loops are stuck does not ask for time to stop")
    func stuck() {
        var notices = ServiceNotices(watchdog: nil)
        _ = notices.next(state(), now: Self.start)
        let told = notices.next(state("draining", isStopping: true, isAlive: false), now: Self.start + .seconds(1))
        #expect(told == [.stopping, .status("draining")])
    }

    @Test("a notification is encoded as assignments, with the status on one line")
    func lines() {
        #expect(ServiceNotice.status("one\ntwo").assignment == "STATUS=one two")
        #expect(ServiceNotice.extendTimeout(.seconds(30)).assignment == "EXTEND_TIMEOUT_USEC=30000000")
        #expect(ServiceNotice.reloading(since: 7).assignment == "RELOADING=1\nMONOTONIC_USEC=7")
    }
}
