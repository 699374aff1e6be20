/// How many runs a poll asks for, which is also how many are taken of its answer. A value without I/O: it is told what
/// came of a poll.
struct PollSize: Sendable, Hashable {
    /// The number of runs that the API returns at most when it is not told a number.
    static let serverLimit = 200

    /// A server that cannot answer for many runs at a time is asked for fewer.
    private(set) var cap = serverLimit
    private var hasToldOfExcess = false

    /// The number for the next poll. Runs that are being claimed at the moment may come back first; they must not hide
    /// the others.
    func wanted(free: Int?, unclaimed: Int) -> Int {
        free.map { min($0 + unclaimed, cap) } ?? cap
    }

    /// The answer to a poll for so many runs was too large to be read: the number to ask for from now on, or `nil` when
    /// it was one already.
    mutating func shrink(from wanted: Int) -> Int? {
        guard wanted > 1 else { return nil }
        cap = max(1, wanted / 4)
        return cap
    }

    /// The answer was full and runs of it were taken: the next one may be larger.
    mutating func grow() { cap = min(cap * 2, Self.serverLimit) }

    /// Whether this answer is the first that has more runs than were asked for.
    mutating func isFirstExcess(of count: Int, over wanted: Int) -> Bool {
        guard count > wanted, !hasToldOfExcess else { return false }
        hasToldOfExcess = true
        return true
    }
}
