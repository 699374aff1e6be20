/// Finds the items for whose sake the API refuses a batch: what was refused is halved until only those are left that are
/// refused alone. A value without I/O: it says how large the next portion is, and is told what became of it.
struct BatchSieve: Sendable, Hashable {
    /// So many refusals one after the other, with nothing taken in between, mean that the API takes nothing at all.
    static let maximumRefusals = 100

    /// The sizes of the portions that are still to be tried, the next one last.
    private var portions: [Int] = []
    /// The size of the portion that is being tried.
    private var current: Int?
    private var refusals = 0
    private var loss = Loss(count: 0, reason: "")

    /// What a search has lost.
    struct Loss: Sendable, Hashable {
        var count: Int
        /// Why the last of it was refused.
        var reason: String
    }

    /// Whether a portion is still to be tried.
    var isSearching: Bool { !portions.isEmpty }

    /// The size of the portion that is tried now; `nil` when no search is on.
    mutating func take() -> Int? {
        current = portions.popLast()
        return current
    }

    /// What was tried was not taken for the moment and comes next again.
    mutating func postponed() {
        if let current { portions.append(current) }
        current = nil
    }

    /// What was tried arrived.
    mutating func delivered() {
        current = nil
        refusals = 0
    }

    /// So many items at the front of what is still to be tried are gone for another reason.
    mutating func forget(_ count: Int) {
        var rest = count
        while rest > 0, let portion = portions.popLast() {
            if portion > rest { portions.append(portion - rest) }
            rest = max(0, rest - portion)
        }
    }

    /// What to do with what was refused.
    enum Verdict: Sendable, Hashable {
        /// Its halves are tried one after the other.
        case halve
        /// It is lost, and with it so many items that follow.
        case drop(following: Int)
    }

    /// What was tried, so many items, was refused.
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

    /// What a search has lost, once after it is over.
    mutating func conclude() -> Loss? {
        guard portions.isEmpty, current == nil, loss.count > 0 else { return nil }
        defer { self = BatchSieve() }
        return loss
    }
}
