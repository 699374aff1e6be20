import BackendKit
import PrefectJSON
import TestSupport
import Testing

@testable import DockerBackend

@Suite("Streams of an Engine")
struct DecoderTests {
    /// A record in the form in which an Engine sends it.
    static func frame(_ stream: UInt8, _ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        let length = (0..<4).reversed().map { UInt8(truncatingIfNeeded: bytes.count >> ($0 * 8)) }
        return [stream, 0, 0, 0] + length + bytes
    }

    private static let times = (0..<4).map { "2026-11-21T10:00:0\($0).00000000\($0)Z" }

    @Test("records keep their stream and time for any division of the answer into portions")
    func cuts() async throws {
        let bytes =
            Self.frame(1, "\(Self.times[0]) one\n") + Self.frame(2, "\(Self.times[1]) two") + Self.frame(1, "")
            + Self.frame(2, "no time\n")
        try await Fuzz.run(mostCases: 2000) { random in
            var decoder = LogDecoder(hasTTY: false)
            var records: [LogRecord] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = random.below(rest.count + 1)
                records += try decoder.decode(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            #expect(records.map(\.stream) == [.output, .errors, .errors])
            #expect(records.map { String(decoding: $0.bytes, as: UTF8.self) } == ["one\n", "two", "no time\n"])
            #expect(records[0].time == OutputTime(Self.times[0]) && records[2].time == nil)
        }
    }

    @Test("a container with a terminal sends lines, and the last line may lack a line end")
    func terminal() throws {
        var decoder = LogDecoder(hasTTY: true)
        let records = try decoder.decode(Array("\(Self.times[0]) a\r\nplain\n\(Self.times[1]) b".utf8))
        #expect(records.map { String(decoding: $0.bytes, as: UTF8.self) } == ["a\r\n", "plain\n"])
        #expect(decoder.finish().map { String(decoding: $0.bytes, as: UTF8.self) } == "b")
    }

    @Test("a long line of a terminal is delivered in parts, without the times that the Engine inserts")
    func longTerminalLine() async throws {
        let stamp = "\(Self.times[0]) "
        let part = String(repeating: "x", count: 16 << 10)
        // A time that the container itself has written stays.
        let bytes = Array("\(stamp)\(part)\(stamp)\(part)\(stamp)\(Self.times[1]) end\r\n\(Self.times[1]) next\n".utf8)
        let whole = "\(part)\(part)\(Self.times[1]) end\r\nnext\n"
        try await Fuzz.run(mostCases: 100) { random in
            var decoder = LogDecoder(hasTTY: true)
            var records: [LogRecord] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = 1 + random.below(random.oneIn(2) ? 40 : rest.count)
                records += try decoder.decode(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            #expect(String(decoding: records.flatMap(\.bytes), as: UTF8.self) == whole)
            // There are as many records as in the Engine, so that a second reading can skip them.
            #expect(records.map(\.time) == [0, 0, 0, 1].map { OutputTime(Self.times[$0]) })
        }
    }

    @Test("a time that the Engine inserts at the size limit of a record is removed as well")
    func timeAtTheBound() throws {
        let stamp = "\(Self.times[0]) "
        for length in (LogDecoder.largestRecord - 70)...LogDecoder.largestRecord where length % 7 == 0 {
            let part = String(repeating: "x", count: length)
            var decoder = LogDecoder(hasTTY: true)
            let records = try decoder.decode(Array("\(stamp)\(part)\(stamp)y\n".utf8))
            #expect(records.flatMap(\.bytes) == Array("\(part)y\n".utf8))
        }
    }

    @Test("any bytes are decoded or refused, and never buffered beyond the bounds")
    func anything() async throws {
        let good = Self.frame(1, "\(Self.times[0]) one\n") + Self.frame(2, "\(Self.times[1]) two\n")
        try await Fuzz.run(mostCases: 20_000) { random in
            var logs = LogDecoder(hasTTY: random.oneIn(2))
            var lines = JSONLineDecoder()
            for _ in 0...random.below(4) {
                let bytes = random.oneIn(2) ? random.damaged(good) : random.bytes(upTo: 300)
                if let records = try? logs.decode(bytes) {
                    #expect(records.reduce(0) { $0 + $1.bytes.count } <= bytes.count + LogDecoder.largestRecord)
                }
                _ = logs.finish()
                _ = try? lines.decode(bytes)
                _ = try? lines.finish()
            }
        }
    }

    @Test("answers with arbitrary numbers cause no crash in containers, events or pull progress")
    func anyAnswer() async throws {
        let container: JSONValue = [
            "Id": "c", "Name": "/n", "State": ["Status": "exited", "ExitCode": 0, "OOMKilled": true, "Error": ""],
            "Config": ["Tty": false], "HostConfig": ["Memory": 1_000_000], "Created": 1, "Labels": ["a": "b"],
        ]
        let progress: JSONValue = [
            "id": "l", "status": "Downloading", "progressDetail": ["current": 5, "total": 9_223_372_036_854_775_807],
        ]
        try await Fuzz.run(mostCases: 4000) { random in
            var now = ContinuousClock.now
            var pull = PullProgress(image: "i", began: now)
            for _ in 0..<4 {
                now += .seconds(10)
                guard let json = try? JSONValue(parsing: random.spoiled(random.oneIn(2) ? container : progress)) else {
                    continue
                }
                if let facts = try? ContainerFacts(json) { _ = facts.memoryLimit.map(ByteCount.text) }
                _ = ListedContainer(json)
                _ = ContainerEvent(json)
                _ = pull.note(json, at: now)
            }
        }
        #expect(ByteCount.text(.max) == "8589934592 GiB")
        #expect(ByteCount.text(1_610_612_736) == "1.5 GiB")
    }

    @Test("a record above the size limit is delivered in parts")
    func large() throws {
        let size = LogDecoder.largestRecord + 10
        for hasTTY in [false, true] {
            var decoder = LogDecoder(hasTTY: hasTTY)
            let text = String(repeating: "x", count: size) + "\n"
            let records = try decoder.decode(hasTTY ? Array(text.utf8) : Self.frame(1, text))
            #expect(records.map(\.bytes.count) == [LogDecoder.largestRecord, 11])
        }
    }

    @Test("each line is decoded as one JSON value, and other lines are refused")
    func lines() throws {
        var decoder = JSONLineDecoder()
        #expect(try decoder.decode(Array("{\"a\":1}\r\n\n{\"b\"".utf8)) == [["a": 1]])
        #expect(try decoder.decode(Array(":2}".utf8)) == [])
        #expect(try decoder.finish() == ["b": 2])
        #expect(throws: JSONLineError.self) { try decoder.decode(Array("{]\n".utf8)) }
        var long = JSONLineDecoder()
        #expect(throws: JSONLineError.self) {
            try long.decode([UInt8](repeating: 32, count: JSONLineDecoder.longestLine + 1))
        }
    }
}
