import PrefectJSON
import Testing

@Suite("Timestamps")
struct TimestampTests {
    @Test(
        "timestamps are read in all formats of the API and of Python",
        arguments: [
            ("2026-02-03T04:05:06Z", "2026-02-03T04:05:06+00:00"),
            ("2026-02-03T04:05:06.789Z", "2026-02-03T04:05:06.789000+00:00"),
            ("2026-02-03 04:05:06.678901+00:00", "2026-02-03T04:05:06.678901+00:00"),
            ("2026-02-03T04:05:06.123456789+05:30", "2026-02-02T22:35:06.123456+00:00"),
            ("2026-01-02t03:04:05,678901z", "2026-01-02T03:04:05.678901+00:00"),
            ("2026-01-01T23:34:05.678901-0330", "2026-01-02T03:04:05.678901+00:00"),
            ("2026-02-03 04:05:06-08", "2026-02-03T12:05:06+00:00"), ("2026-02-03_04:05", "2026-02-03T04:05:00+00:00"),
            ("2024-02-29T23:59:59.999999+1400", "2024-02-29T09:59:59.999999+00:00"),
            ("1969-12-31T23:59:59.5", "1969-12-31T23:59:59.500000+00:00"),
            ("2026-12-31T23:30:00-01:00", "2027-01-01T00:30:00+00:00"),
            ("2000-03-01T00:00:00+00:01", "2000-02-29T23:59:00+00:00"), ("2026-01-02", "2026-01-02T00:00:00+00:00"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999+00:00"),
        ])
    func forms(text: String, expected: String) {
        #expect(Timestamp(text)?.pythonISOFormat == expected)
    }

    @Test(
        "text that is not a valid time is refused",
        arguments: [
            "", "2026", "2026-13-01", "2026-00-01", "2026-01-00", "2026-02-30", "2025-02-29", "2026-02-30T00:00:00Z",
            "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00Zx",
            "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60", "2026-01-01T00:00:00+",
            "2026-01-01T", "2026-01-01Z", "٢٠٢٦-01-01T00:00:00Z", "２０２６-01-02", "0000-01-01", "-001-01-01",
            "10000-01-01", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:00-00:01",
        ])
    func refused(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test("timestamps are written like the API, isoformat and str")
    func written() throws {
        let time = try #require(Timestamp("2026-01-02T05:04:05.5+02:00"))
        #expect(time.apiFormat == "2026-01-02T03:04:05.500000Z")
        #expect(time.pythonISOFormat == "2026-01-02T03:04:05.500000+00:00")
        #expect(time.pythonText == "2026-01-02 03:04:05.500000+00:00")
        let whole = try #require(Timestamp("2026-01-02T03:04:05Z"))
        #expect(whole.apiFormat == "2026-01-02T03:04:05Z")
        #expect(whole.pythonText == "2026-01-02 03:04:05+00:00")
    }

    @Test("a timestamp that must be in UTC is refused with another offset")
    func utc() {
        #expect(Timestamp(utc: "2026-01-02T03:04:05+00:00") == Timestamp("2026-01-02T03:04:05"))
        #expect(Timestamp(utc: "2026-01-02T03:04:05+01:00") == nil)
        #expect(Timestamp(utc: "soon") == nil)
    }

    @Test("times before 1970 and leap days survive a round trip")
    func roundTrip() throws {
        for text in [
            "1969-12-31T23:59:59.999999Z", "2024-02-29T12:00:00.000001Z", "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999Z", "1900-02-28T00:00:00Z",
        ] {
            #expect(try #require(Timestamp(text)).apiFormat == text)
        }
        let time = try #require(Timestamp("2026-01-02T03:04:05Z"))
        #expect(Timestamp(time.date) == time)
        #expect(time.adding(seconds: 1.5).seconds(since: time) == 1.5)
        #expect(time < time.adding(seconds: 0.000001))
    }

    @Test("times outside the years 1 to 9999 are clamped to these years")
    func ends() {
        #expect(Timestamp.earliest.apiFormat == "0001-01-01T00:00:00Z")
        #expect(Timestamp.latest.apiFormat == "9999-12-31T23:59:59.999999Z")
        #expect(Timestamp(microseconds: .max) == .latest)
        #expect(Timestamp(microseconds: .min) == .earliest)
        #expect(Timestamp.now.adding(seconds: .infinity) == .latest)
        #expect(Timestamp.latest.adding(seconds: 1e300) == .latest)
        #expect(Timestamp.now.adding(seconds: -.infinity) == .earliest)
        #expect(Timestamp.earliest.adding(seconds: .nan) == .earliest)
    }

    @Test("parts that no calendar has are refused")
    func parts() {
        #expect(
            Timestamp(year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5) == Timestamp("2026-01-02T03:04:05"))
        for (year, month, day, hour) in [
            (0, 1, 1, 0), (10_000, 1, 1, 0), (2026, 0, 1, 0), (2026, .max, 1, 0), (2026, 1, .min, 0), (.max, 2, 29, 0),
            (2026, 1, 1, 24), (2026, 1, 1, -1),
        ] {
            #expect(Timestamp(year: year, month: month, day: day, hour: hour, minute: 0, second: 0) == nil)
        }
    }
}
