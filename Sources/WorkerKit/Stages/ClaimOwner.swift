internal import FoundationEssentials
internal import Hashing
internal import PrefectClient

/// The worker that made a claim, as the ids of the claim's transitions identify it: by a part of a hash of its name.
///
/// The API does not record which worker has set a state. So the ids contain this part, and another worker can find out
/// whether the claim's worker still exists. The ids are UUIDs of version 8, which no other client of the API uses. Their
/// first and their last digits are random, because backends make names of infrastructure from these.
struct ClaimOwner: Sendable, Hashable {
    private let bytes: [UInt8]

    /// The positions of the owner in an id, beside the version and the variant.
    private static let positions = [4, 5, 7, 9]

    /// The owner of all claims of a worker.
    init(workerName: String) { bytes = Array(SHA1.digest(Array(workerName.utf8)).prefix(Self.positions.count)) }

    fileprivate init(id: [UInt8]) { bytes = Self.positions.map { id[$0] } }

    /// A random id that contains this owner.
    fileprivate func newID() -> [UInt8] {
        var id = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        for (position, byte) in zip(Self.positions, bytes) { id[position] = byte }
        id[6] = id[6] & 0x0F | 0x80
        id[8] = id[8] & 0x3F | 0x80
        return id
    }
}

extension ClaimIDs {
    /// New transitions of a worker, which no other worker has.
    init(by owner: ClaimOwner) { self.init(of: owner.newID()) }

    /// The transitions of the claim to which one of them belongs; `nil` when the claim was not made by a worker of this
    /// kind.
    init?(including transition: String) {
        guard let id = Self.bytes(of: transition) else { return nil }
        self.init(of: id)
    }

    /// The worker that made the claim; `nil` for a claim that an older version of the worker made.
    var owner: ClaimOwner? { Self.bytes(of: claim).map(ClaimOwner.init(id:)) }

    /// The two ids differ in their last bit.
    private init(of id: [UInt8]) {
        var (claim, submission) = (id, id)
        claim[15] &= 0xFE
        submission[15] |= 1
        self.init(claim: Self.text(of: claim), submission: Self.text(of: submission))
    }

    /// The bytes of an id of version 8; `nil` for any other text.
    private static func bytes(of id: String) -> [UInt8]? {
        guard let id = UUID(uuidString: id) else { return nil }
        let bytes = withUnsafeBytes(of: id.uuid) { Array($0) }
        return bytes[6] & 0xF0 == 0x80 ? bytes : nil
    }

    private static func text(of bytes: [UInt8]) -> String {
        var uuid: uuid_t = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        withUnsafeMutableBytes(of: &uuid) { $0.copyBytes(from: bytes) }
        return UUID(uuid: uuid).text
    }
}
