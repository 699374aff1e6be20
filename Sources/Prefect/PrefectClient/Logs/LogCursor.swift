internal import FoundationEssentials

/// A position in the logs of a run, which the API sorts by time.
///
/// Lines may arrive late: the API then puts them before lines that were read already, and the offsets of those grow. So
/// each read begins with the last line of the read before. When another line is there, the reader goes back until it
/// finds a line where it was before. The cursor remembers the ids of the last lines, so that it returns none twice.
struct LogCursor {
    /// The number of lines whose ids the cursor keeps at least. A line that is put before all of them is missed.
    private let capacity: Int
    /// The offset of the first line in ``order``.
    private var start = 0
    /// The ids of the last lines in the order of the API.
    private var order: [UUID] = []
    /// The ids of the returned lines, as far as they are kept.
    private var returned: Set<UUID> = []
    /// The offset of the next read.
    private(set) var offset = 0

    /// The number of ids in memory.
    var keptIDs: Int { order.count }

    init(capacity: Int = 10_000) { self.capacity = capacity }

    /// Takes the ids of the lines from ``offset`` on, and sets ``offset`` to that of the next read.
    ///
    /// - Returns: The indices of the lines that were never returned; `nil` when the lines before have to be read first.
    mutating func take(_ ids: [UUID], goingBack step: Int) -> [Int]? {
        let index = offset - start
        if index < order.count, ids.first != order[index], offset > start {
            offset = max(start, offset - step)
            return nil
        }
        order.removeSubrange(index...)
        order += ids
        let new = ids.indices.filter { returned.insert(ids[$0]).inserted }
        if order.count > 2 * capacity {
            let surplus = order.count - capacity
            for id in order.prefix(surplus) { returned.remove(id) }
            order.removeFirst(surplus)
            start += surplus
        }
        offset = start + max(0, order.count - 1)
        return new
    }
}
