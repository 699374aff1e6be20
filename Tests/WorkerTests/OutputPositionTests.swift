import BackendKit
import Testing
import WorkerKit

@Suite("Position in a log")
struct OutputPositionTests {
    private static let times = (0..<3).map { OutputTime("2026-11-21T10:00:0\($0).00000000\($0)Z") }

    @Test("a second reading continues where the first was interrupted, without repeated or missing lines")
    func positions() {
        // Three lines have the same time, and the first reading was interrupted after two of them.
        let all = [(0, "a"), (1, "b"), (1, "c"), (1, "d"), (2, "e")]
        var position = OutputPosition()
        position.resume()
        let first = all.prefix(3).filter { position.admits(Self.times[$0.0]) }
        #expect(position.time == Self.times[1])
        position.resume()
        let second = all.filter { position.admits(Self.times[$0.0]) }
        #expect((first + second).map(\.1) == ["a", "b", "c", "d", "e"])
        #expect(OutputPosition(text: position.text ?? "")?.text == position.text)
        for text in ["", "1 2", "1 2 3 4", "a b c", "1 -1 1", "1 1 -1"] { #expect(OutputPosition(text: text) == nil) }
    }

    @Test("a record that is older than the one before it is read once")
    func disorder() {
        let all = [(0, "a"), (2, "b"), (1, "c"), (2, "d")]
        var position = OutputPosition()
        let first = all.filter { position.admits(Self.times[$0.0]) }
        #expect(first.map(\.1) == ["a", "b", "c", "d"] && position.time == Self.times[2])
        position.resume()
        let second = all.filter { position.admits(Self.times[$0.0]) }
        #expect(second.isEmpty)
    }

    @Test("a line that continues a record is new exactly when the record is new")
    func continuations() {
        var position = OutputPosition()
        #expect(position.admits(Self.times[0]) && position.admits(nil))
        position.resume()
        #expect(!position.admits(Self.times[0]) && !position.admits(nil))
        #expect(position.admits(Self.times[1]) && position.admits(nil))
    }

    @Test("times keep their nanoseconds")
    func times() {
        #expect(OutputTime("1970-01-01T00:00:01.000000002Z")?.decimal == "1.000000002")
        #expect(OutputTime("1970-01-01T01:00:01.5+01:00")?.decimal == "1.500000000")
        #expect(OutputTime("yesterday") == nil)
    }
}
