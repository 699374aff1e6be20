import FoundationEssentials
import TestSupport
import Testing

@testable import PrefectClient

@Suite("The position in logs")
struct LogCursorTests {
    /// Reads until a read is short. Returns the lines that the cursor returned.
    private func read(_ cursor: inout LogCursor, _ rows: [UUID], size: Int = 5) -> [UUID] {
        var found: [UUID] = []
        for _ in 0..<1000 {
            let page = Array(rows.dropFirst(cursor.offset).prefix(size))
            guard let new = cursor.take(page, goingBack: size - 1) else { continue }
            found += new.map { page[$0] }
            if page.count < size { return found }
        }
        Issue.record("the reading does not end")
        return found
    }

    @Test("late lines are returned once, wherever the API puts them")
    func lateLines() {
        var random = FuzzRandom(seed: 16)
        for _ in 0..<200 {
            var rows: [UUID] = []
            var cursor = LogCursor(capacity: 200)
            var returned: [UUID] = []
            for _ in 0..<20 {
                for _ in 0..<Int.random(in: 0...12, using: &random) {
                    let isLate = Bool.random(using: &random)
                    let place =
                        isLate ? Int.random(in: max(0, rows.count - 60)...rows.count, using: &random) : rows.count
                    rows.insert(UUID(), at: place)
                }
                returned += read(&cursor, rows)
            }
            #expect(Set(returned) == Set(rows))
            #expect(returned.count == rows.count)
        }
    }

    @Test("the memory of a long run is bounded, and a read begins with one known line")
    func longRun() {
        var cursor = LogCursor(capacity: 10)
        let rows = (0..<500).map { _ in UUID() }
        #expect(read(&cursor, rows) == rows)
        #expect(cursor.offset == 499)
        #expect(read(&cursor, rows) == [])
        #expect(cursor.keptIDs <= 20)
    }

    @Test("lines that vanish do not repeat the others")
    func deletedLines() {
        var cursor = LogCursor()
        var rows = (0..<40).map { _ in UUID() }
        _ = read(&cursor, rows)
        rows.removeFirst(20)
        rows.append(UUID())
        #expect(read(&cursor, rows) == [rows[20]])
        #expect(read(&cursor, []) == [])
    }
}
