import JSON
import JobTemplates
import Testing

@Suite("Python's text")
struct PythonTextTests {
    @Test(
        "values are written as Python writes them",
        arguments: [
            (nil, "None"), (true, "True"), (1.0, "1.0"), (1e16, "1e+16"), (1e-5, "1e-05"), (-0.0, "-0.0"),
            (.bigInteger("123456789012345678901"), "123456789012345678901"), ("plain", "plain"),
            (["it's"], #"["it's"]"#),
            ([#"it's "x""#], #"['it\'s "x"']"#), ([#"say "x""#], #"['say "x"']"#),
            (["a\\b\n\r\t\u{0}\u{7f}"], #"['a\\b\n\r\t\x00\x7f']"#),
            (["é\u{a0}\u{ad}\u{200b}\u{2028}\u{1f600}\u{e0001}"], #"['é\xa0\xad\u200b\u2028😀\U000e0001']"#),
            (["\r\n"], #"['\r\n']"#), ([:], "{}"), (["a": [1, ["b": false]]], "{'a': [1, {'b': False}]}"), ([], "[]"),
        ] as [(JSONValue, String)])
    func text(value: JSONValue, expected: String) {
        #expect(value.pythonText == expected)
    }
}

@Suite("Timestamps")
struct TimestampTests {
    @Test(
        "are read in all the forms of the API and written as Python writes them",
        arguments: [
            ("2026-02-03T04:05:06Z", "2026-02-03T04:05:06+00:00"),
            ("2026-02-03T04:05:06.789Z", "2026-02-03T04:05:06.789000+00:00"),
            ("2026-02-03T04:05:06.123456789+05:30", "2026-02-02T22:35:06.123456+00:00"),
            ("2026-02-03 04:05:06-08", "2026-02-03T12:05:06+00:00"), ("2026-02-03t04:05z", "2026-02-03T04:05:00+00:00"),
            ("2024-02-29T23:59:59.999999+1400", "2024-02-29T09:59:59.999999+00:00"),
            ("1969-12-31T23:59:59.5", "1969-12-31T23:59:59.500000+00:00"),
            ("2026-12-31T23:30:00-01:00", "2027-01-01T00:30:00+00:00"),
            ("2000-03-01T00:00:00+00:01", "2000-02-29T23:59:00+00:00"),
            ("0001-01-02T00:00:00Z", "0001-01-02T00:00:00+00:00"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59+00:00"),
        ])
    func forms(text: String, expected: String) {
        #expect(Timestamp(text)?.pythonISOFormat == expected)
    }

    @Test(
        "text that is no time is none",
        arguments: [
            "", "2026", "2026-02-30T00:00:00Z", "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z", "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00.Z", "2026-01-01",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+", "٢٠٢٦-01-01T00:00:00Z", "0000-01-01T00:00:00Z",
        ])
    func refused(text: String) {
        #expect(Timestamp(text) == nil)
    }
}
