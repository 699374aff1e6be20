/// Decides which transfers may use the network and which must wait. Waiting transfers are admitted in order of arrival,
/// among those whose origin has room.
///
/// libcurl has its own limits. But it sometimes does not wake a queued transfer when a connection becomes free, so that
/// the transfer waits until its deadline.
struct Admission: Sendable {
    private struct Applicant {
        var id: UInt64
        var origin: String
    }

    private let limitPerOrigin: Int
    private let limit: Int
    private var originsByID: [UInt64: String] = [:]
    private var countsByOrigin: [String: Int] = [:]
    private var waiting: [Applicant] = []

    /// Nil means no limit. A limit below one counts as one, because otherwise nothing would ever be sent.
    init(limitPerOrigin: Int?, limit: Int?) {
        self.limitPerOrigin = max(1, limitPerOrigin ?? .max)
        self.limit = max(1, limit ?? .max)
    }

    /// Returns true when the transfer may start. Otherwise it waits until `leave` returns its identifier.
    mutating func enter(_ id: UInt64, origin: String) -> Bool {
        guard hasRoom(for: origin) else {
            waiting.append(Applicant(id: id, origin: origin))
            return false
        }
        admit(id, origin: origin)
        return true
    }

    /// Removes a transfer that has ended or no longer waits. Returns the transfer that may start in its place.
    mutating func leave(_ id: UInt64) -> UInt64? {
        guard let origin = originsByID.removeValue(forKey: id) else {
            waiting.removeAll { $0.id == id }
            return nil
        }
        let left = (countsByOrigin[origin] ?? 1) - 1
        countsByOrigin[origin] = left > 0 ? left : nil
        guard let next = waiting.firstIndex(where: { hasRoom(for: $0.origin) }) else { return nil }
        let applicant = waiting.remove(at: next)
        admit(applicant.id, origin: applicant.origin)
        return applicant.id
    }

    private func hasRoom(for origin: String) -> Bool {
        originsByID.count < limit && countsByOrigin[origin, default: 0] < limitPerOrigin
    }

    private mutating func admit(_ id: UInt64, origin: String) {
        originsByID[id] = origin
        countsByOrigin[origin, default: 0] += 1
    }
}
