import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite("Fuzzed JSON and times", .timeLimit(.minutes(Fuzz.minutes)))
struct JSONFuzzTests {
    @Test("serialized JSON reads back the same in each style")
    func roundTrip() async throws {
        try await Fuzz.run(mostCases: 4000) { random in
            let value = random.json()
            for style in [JSONStyle.compact, .pretty, .python] {
                let read = try JSONValue(parsing: value.serialized(style))
                try Fuzz.require(read == value, "\(value) is \(read) in the \(style) form")
            }
            try Fuzz.require(
                value.serializedBytes() == Array(value.serialized().utf8), "bytes and text differ: \(value)")
        }
    }

    @Test("damaged text gives a value that can be serialized, or a one-line error with its position")
    func damaged() async throws {
        try await Fuzz.run(mostCases: 8000) { random in
            let bytes =
                random.oneIn(8)
                ? random.bytes(upTo: 40) : random.damaged(Array(random.json().serialized(.pretty).utf8))
            do {
                let value = try JSONValue(parsing: bytes)
                let text = value.serialized()
                let again = try JSONValue(parsing: text).serialized()
                try Fuzz.require(again == text, "\(bytes) is not the same the second time")
            } catch let error as JSONError {
                try Fuzz.require(!error.description.contains("\n"), "\(error) has two lines")
                try Fuzz.require(error.line >= 1 && error.column >= 1, "\(error) is nowhere in \(bytes)")
                try Fuzz.require(error.column <= bytes.count + 1, "\(error) is behind the end of \(bytes)")
            }
        }
    }

    @Test("a truncated array or object is refused")
    func truncated() async throws {
        try await Fuzz.run(mostCases: 1500) { random in
            let value: JSONValue = random.oneIn(2) ? .array([random.json()]) : ["a": random.json()]
            let bytes = value.serializedBytes()
            let cut = Array(bytes.prefix(random.below(bytes.count)))
            try Fuzz.require((try? JSONValue(parsing: cut)) == nil, "\(cut) is taken")
        }
    }

    @Test("numbers of any length and text of any nesting are parsed or refused")
    func extremes() async throws {
        try await Fuzz.run(mostCases: 600) { random in
            let digits = String(repeating: String(random.below(10)), count: 1 + random.below(400))
            let sign = random.pick(["", "-"])
            let exponent = random.pick([
                "", "e\(digits)", "E-\(digits)", ".\(digits)", ".\(digits)e+\(random.below(400))",
            ])
            let value = try? JSONValue(parsing: sign + digits + exponent)
            if let value { _ = (value.intValue, value.doubleValue, value.serialized(.python)) }
            let depth = random.below(3 * JSONValue.maximumDepth)
            let opening = random.oneIn(2) ? "[" : "{\"a\":"
            let closing = opening == "[" ? "]" : "}"
            let nested =
                String(repeating: opening, count: depth) + "1"
                + String(repeating: closing, count: random.oneIn(4) ? random.below(depth + 1) : depth)
            let parsed = try? JSONValue(parsing: nested)
            try Fuzz.require(depth <= JSONValue.maximumDepth || parsed == nil, "\(depth) levels are taken")
        }
    }

    @Test("every time survives the conversion to text and back, with any offset")
    func timestamps() async throws {
        try await Fuzz.run(mostCases: 20_000) { random in
            let time = random.time()
            for text in [time.apiFormat, time.pythonISOFormat, time.pythonText] {
                try Fuzz.require(Timestamp(text) == time, "\(text) is not \(time.microseconds)")
                try Fuzz.require(Timestamp(utc: text) == time, "\(text) is not in UTC")
            }
            let later = random.time()
            try Fuzz.require(
                (time < later) == (time.apiFormat < later.apiFormat) || time.microseconds % 1_000_000 == 0
                    || later.microseconds % 1_000_000 == 0, "\(time) and \(later) are in another order as text")
            let minutes = random.below(24 * 60)
            let isWest = random.oneIn(2)
            let shifted = time.adding(seconds: Double(isWest ? -minutes : minutes) * 60)
            guard shifted.seconds(since: time).magnitude == Double(minutes) * 60 else { return }
            func padded(_ number: Int) -> String { String(String(100 + number).dropFirst()) }
            let clock = padded(minutes / 60) + random.pick([":", ""]) + padded(minutes % 60)
            let local = shifted.apiFormat.dropLast() + (isWest ? "-" : "+") + clock
            try Fuzz.require(Timestamp(String(local)) == time, "\(local) is not \(time.apiFormat)")
        }
    }

    @Test(
        "damaged text, invalid parts and large intervals give a time that has a text, or none"
    )
    func nearlyTimestamps() async throws {
        let interesting = [
            Int.min, -1, 0, 1, 2, 12, 13, 23, 24, 28, 29, 30, 31, 32, 59, 60, 61, 999_999, 9999, 10_000, .max,
        ]
        try await Fuzz.run(mostCases: 20_000) { random in
            let time = random.time()
            let read = Timestamp(random.damaged(time.pythonISOFormat))
            let made = Timestamp(
                year: random.oneIn(2) ? 2024 : random.pick(interesting), month: random.pick(interesting),
                day: random.pick(interesting), hour: random.pick(interesting), minute: random.pick(interesting),
                second: random.pick(interesting), microsecond: random.pick(interesting))
            let leaps = [
                Double.infinity, -.infinity, .nan, 1e300, -1e18, 1e12, 0.5, -0.000_001, .leastNonzeroMagnitude,
            ]
            let leapt = time.adding(seconds: random.pick(leaps)).adding(seconds: random.pick(leaps))
            let raw = Timestamp(microseconds: Int(truncatingIfNeeded: random.next()))
            let dated = Timestamp(Date(timeIntervalSince1970: random.pick(leaps)))
            for time in [read, made, leapt, raw, dated].compactMap(\.self) {
                try Fuzz.require(Timestamp(time.apiFormat) == time, "\(time.microseconds) has no text")
                _ = time.seconds(since: leapt)
            }
        }
    }
}

extension FuzzRandom {
    /// A random time of any year. One time in three has no fraction of a second.
    mutating func time() -> Timestamp {
        let range = Timestamp.earliest.microseconds...Timestamp.latest.microseconds
        let any = Int.random(in: range, using: &self)
        return Timestamp(microseconds: oneIn(3) ? any / 1_000_000 * 1_000_000 : any)
    }
}
