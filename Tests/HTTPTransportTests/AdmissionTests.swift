import Testing
import TransportPeers

@testable import HTTPTransport

@Suite("Admission to the network") struct AdmissionTests {
    /// Enters transfers one after another, and returns which of them may start.
    private func enter(_ admission: inout Admission, _ ids: ClosedRange<UInt64>, _ origin: String) -> [Bool] {
        ids.map { admission.enter($0, origin: origin) }
    }

    private func leave(_ admission: inout Admission, _ ids: UInt64...) -> [UInt64?] {
        ids.map { admission.leave($0) }
    }

    @Test("a transfer that ends makes room for the first waiting transfer")
    func order() {
        var admission = Admission(limitPerOrigin: 2, limit: nil)
        #expect(enter(&admission, 1...4, "a") == [true, true, false, false])
        #expect(leave(&admission, 2, 1, 3, 4) == [3, 4, nil, nil])
        #expect(enter(&admission, 5...5, "a") == [true])
    }

    @Test("a full origin does not block other origins, but the total limit does")
    func origins() {
        var admission = Admission(limitPerOrigin: 1, limit: 2)
        #expect(enter(&admission, 1...2, "a") == [true, false])
        #expect(enter(&admission, 3...3, "b") == [true])
        #expect(enter(&admission, 4...4, "c") == [false])
        // Origin "a" is still full when 3 ends, so its waiting transfer is skipped.
        #expect(leave(&admission, 3, 1) == [4, 2])
    }

    @Test("a waiting transfer that gives up takes no place and frees none")
    func givingUp() {
        var admission = Admission(limitPerOrigin: 1, limit: nil)
        #expect(enter(&admission, 1...3, "a") == [true, false, false])
        #expect(leave(&admission, 2, 2, 1) == [nil, nil, 3])
    }

    @Test("without limits all transfers are admitted, and a limit below one still admits one", arguments: [0, -1])
    func limits(_ senseless: Int) {
        var open = Admission(limitPerOrigin: nil, limit: nil)
        let admitted = enter(&open, 1...1000, "a")
        #expect(admitted.allSatisfy { $0 })
        var narrow = Admission(limitPerOrigin: senseless, limit: senseless)
        #expect(enter(&narrow, 1...2, "a") == [true, false])
    }

    @Test("every transfer is finally admitted, and never more than the limits at once")
    func all() {
        var admission = Admission(limitPerOrigin: 3, limit: 5)
        var running: [UInt64] = []
        var served: Set<UInt64> = []
        for id: UInt64 in 0..<500 where admission.enter(id, origin: "\(id % 3)") { running.append(id) }
        while !running.isEmpty {
            let perOrigin = (0..<3).map { origin in running.count { $0 % 3 == origin } }
            #expect(running.count <= 5)
            #expect(perOrigin.allSatisfy { $0 <= 3 })
            let id = running.remove(at: served.count % running.count)
            served.insert(id)
            if let next = admission.leave(id) { running.append(next) }
        }
        #expect(served.count == 500)
    }
}
