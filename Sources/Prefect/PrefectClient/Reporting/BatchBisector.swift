/// Finds the items that cause the API to refuse a batch. Each refused portion is halved until it is a single item,
/// which is lost. A value without I/O: it states the size of the next portion, and the caller reports the result.
struct BatchBisector: Sendable, Hashable {
    /// After this many refusals in a row, the API is considered to accept nothing at all.
    static let maximumRefusals = 100

    /// The sizes of the untried portions, the next one last.
    private var portions: [Int] = []
    /// The size of the portion in flight.
    private var current: Int?
    private var refusals = 0
    private var loss = Loss(count: 0, reason: "")

    /// The items that a search has lost.
    struct Loss: Sendable, Hashable {
        var count: Int
        /// The reason of the last refusal.
        var reason: String
    }

    /// Whether untried portions exist.
    var isSearching: Bool { !portions.isEmpty }

    /// Returns the size of the portion to try now; `nil` when no search is active.
    mutating func take() -> Int? {
        current = portions.popLast()
        return current
    }

    /// Notes that the API did not accept the portion for now; it is the next one again.
    mutating func postponed() {
        if let current { portions.append(current) }
        current = nil
    }

    /// Notes that the portion arrived.
    mutating func delivered() {
        current = nil
        refusals = 0
    }

    /// Removes this many items from the front of the untried portions: they were dropped for another reason.
    mutating func forget(_ count: Int) {
        var rest = count
        while rest > 0, let portion = portions.popLast() {
            if portion > rest { portions.append(portion - rest) }
            rest = max(0, rest - portion)
        }
    }

    /// The decision about a refused portion.
    enum Verdict: Sendable, Hashable {
        /// The caller tries its halves one after the other.
        case halve
        /// The portion is lost, and so are this many of the following items.
        case drop(following: Int)
    }

    /// Notes that the API refused the portion in flight, which has this many items.
    mutating func refused(_ count: Int, reason: String) -> Verdict {
        current = nil
        refusals += 1
        loss.reason = reason
        if refusals >= Self.maximumRefusals {
            let following = portions.reduce(0, +)
            portions = []
            refusals = 0
            loss.count += count + following
            return .drop(following: following)
        }
        if count > 1 {
            portions += [count - count / 2, count / 2]
            return .halve
        }
        loss.count += 1
        return .drop(following: 0)
    }

    /// Returns the loss of a search once after its end; otherwise `nil`.
    mutating func conclude() -> Loss? {
        guard portions.isEmpty, current == nil, loss.count > 0 else { return nil }
        defer { self = BatchBisector() }
        return loss
    }
}
