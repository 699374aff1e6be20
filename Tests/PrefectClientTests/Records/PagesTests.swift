import OrderedCollections
import PrefectClient
import PrefectJSON
import Synchronization
import Testing

@Suite struct PagesTests {
    /// Rows with ids, of which some may be inserted at the beginning while they are read.
    private static func row(_ number: Int) -> FlowRun { FlowRun(unchecked: ["id": .int(number)]) }

    private func read(_ count: Int, size: Int) async throws -> (rows: Int, calls: [[Int]]) {
        let calls = Mutex<[[Int]]>([])
        let pages = Pages(size: size) { limit, offset in
            calls.withLock { $0.append([limit, offset]) }
            return (offset..<max(offset, min(count, offset + limit))).map(Self.row)
        }
        var rows = 0
        for try await run in pages {
            #expect(run["id"] == .int(rows))
            rows += 1
        }
        return (rows, calls.withLock { $0 })
    }

    @Test func readsUntilAShortPage() async throws {
        #expect(try await read(5, size: 2).rows == 5)
        #expect(try await read(4, size: 2).calls == [[2, 0], [2, 2], [2, 4]])
        #expect(try await read(0, size: 500).calls == [[200, 0]])
    }

    @Test func rowsThatShiftOccurOnce() async throws {
        let inserted = Mutex(0)
        let pages = Pages(size: 2) { limit, offset in
            let first = inserted.withLock { count in
                defer { count = 1 }
                return count
            }
            return (offset..<min(5 + first, offset + limit)).map { Self.row($0 - first) }
        }
        var ids: [JSONValue?] = []
        for try await run in pages { ids.append(run["id"]) }
        #expect(ids == [0, 1, 2, 3, 4])
    }

    @Test func tokensAreFollowed() async throws {
        let pages = Pages<FlowRun>(followingTokens: { token in
            token == nil ? ([Self.row(0)], "next") : ([], nil)
        })
        var rows = 0
        for try await _ in pages { rows += 1 }
        #expect(rows == 1)
    }

    @Test func cancellationEndsTheReading() async {
        let task = Task {
            for try await _ in Pages(size: 1, { _, offset in [Self.row(offset)] }) {}
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}
