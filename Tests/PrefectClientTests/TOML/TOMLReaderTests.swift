import OrderedCollections
import PrefectJSON
import PrefectTOML
import Testing

@Suite("Reading of TOML")
struct TOMLReaderTests {
    private static func table(_ text: String) throws -> OrderedDictionary<String, JSONValue> {
        try TOMLReader.table(in: Array(text.utf8))
    }

    /// Documents and their values as JSON. Python's `tomllib` reads the same values. Numbers that JSON lacks have an
    /// `@`.
    private static let documents: [(String, String)] = [
        // Comments and line ends.
        ("", "{}"),
        ("# a\r\n\r\na = 1 # b\n\t# c", "{\"a\": 1}"),
        ("a = '#' # é", "{\"a\": \"#\"}"),
        ("a=1\r\nb=2", #"{"a": 1, "b": 2}"#),
        // Keys.
        ("a-_9 = 1", "{\"a-_9\": 1}"),
        ("1.2 = 3", #"{"1": {"2": 3}}"#),
        ("'' = 1", "{\"\": 1}"),
        (#""a.b"."\u00e9" . 'c d' = 1"#, #"{"a.b": {"é": {"c d": 1}}}"#),
        ("true = 1\ninf = 2\n1979-05-27 = 3", #"{"true": 1, "inf": 2, "1979-05-27": 3}"#),
        ("a.b = 1\nc = 2\na.d = 3", #"{"a": {"b": 1, "d": 3}, "c": 2}"#),
        ("'é' = 1", "{\"é\": 1}"),
        // Tables.
        ("[a]\nb = 1\n[a.c]\nd = 2\n[e]", #"{"a": {"b": 1, "c": {"d": 2}}, "e": {}}"#),
        ("[a.b]\n[a]\nc = 1", #"{"a": {"b": {}, "c": 1}}"#),
        ("[ a . 'b c' . \"d\" ] # e", #"{"a": {"b c": {"d": {}}}}"#),
        ("[a.b.c]\n[a]\nb.d = 1", #"{"a": {"b": {"c": {}, "d": 1}}}"#),
        ("[a]\nb.c.d = 1\n[a.b.c.e]\nf = 2", #"{"a": {"b": {"c": {"d": 1, "e": {"f": 2}}}}}"#),
        ("['']\n[\"]\"]", #"{"": {}, "]": {}}"#),
        // Arrays of tables.
        ("[[a]]\nb = 1\n[[a]]\n[[a]]\nb = 2", #"{"a": [{"b": 1}, {}, {"b": 2}]}"#),
        (
            "[[a]]\n[a.b]\nc = 1\n[[a.d]]\n[[a.d]]\n[[a]]\n[a.b]\nc = 2",
            #"{"a": [{"b": {"c": 1}, "d": [{}, {}]}, {"b": {"c": 2}}]}"#
        ),
        ("[[a.b]]\n[a]\nc = 1", #"{"a": {"b": [{}], "c": 1}}"#),
        ("[[a]]\nb.c = 1\n[[a]]\nb.c = 2", #"{"a": [{"b": {"c": 1}}, {"b": {"c": 2}}]}"#),
        // Inline tables.
        ("a = {}", "{\"a\": {}}"),
        ("a = { b.c = 1, b.d = 2 , 'e' = { f = [ { } ] } }", #"{"a": {"b": {"c": 1, "d": 2}, "e": {"f": [{}]}}}"#),
        ("a = [{ b = 1 }, { c = [\n1,\n# d\n2,\n] }]", #"{"a": [{"b": 1}, {"c": [1, 2]}]}"#),
        (#"a = { b = """\#nc""" }"#, #"{"a": {"b": "c"}}"#),
        // Arrays.
        ("a = []", "{\"a\": []}"),
        ("a = [ 1, 'b', [ true ], ]", #"{"a": [1, "b", [true]]}"#),
        ("a = [ # b\n1\n,\n\n2 # c\n]", "{\"a\": [1, 2]}"),
        // Strings.
        (#"a = "\b\t\n\f\r\"\\\u00e9\U0001F600""#, #"{"a": "\b\t\n\f\r\"\\é😀"}"#),
        (#"a = 'b\n"c'\#nd = "'""#, #"{"a": "b\\n\"c", "d": "'"}"#),
        (#"a = """\#nb\#n  c\\#n\#n   d\  \#n e""""#, #"{"a": "b\n  cde"}"#),
        ("a = '''\nb\\\n'c''d'''", #"{"a": "b\\\n'c''d"}"#),
        (#"a = """b"""""\#nc = '''d''''\#ne = """""""#, #"{"a": "b\"\"", "c": "d'", "e": ""}"#),
        (#"a = """b\#r\#nc\\#r\#n d""""#, #"{"a": "b\ncd"}"#),
        ("a = '\t'\nb = \"\"", #"{"a": "\t", "b": ""}"#),
        (#"a = """"b""c\"""""#, #"{"a": "\"b\"\"c\""}"#),
        (#"a = "\u0000""#, #"{"a": "\u0000"}"#),
        // Integers.
        (
            "a = [0, +0, -0, +1, -17, 1_000, 9223372036854775807, -9223372036854775808]",
            "{\"a\": [0, 0, 0, 1, -17, 1000, 9223372036854775807, -9223372036854775808]}"
        ),
        (
            "a = [0xDEAD_beef, 0o17, 0b1_01, 0x7FFFFFFFFFFFFFFF, 0x00]",
            "{\"a\": [3735928559, 15, 5, 9223372036854775807, 0]}"
        ),
        // Floats.
        (
            "a = [1.0, -0.5, +6.25e-2, 1_0.2_5, 3e08, 1E+1_0, 0e0, 0.1]",
            "{\"a\": [1.0, -0.5, 0.0625, 10.25, 300000000.0, 10000000000.0, 0.0, 0.1]}"
        ),
        (
            "a = [5e-324, 1.7976931348623157e308, 123456789012345678901234567890.0]",
            "{\"a\": [5e-324, 1.7976931348623157e+308, 1.2345678901234568e+29]}"
        ),
        (
            "a = [inf, +inf, -inf, nan, -nan, 1e400, -1e400]",
            #"{"a": ["@inf", "@inf", "@-inf", "@nan", "@nan", "@inf", "@-inf"]}"#
        ),
        // Booleans.
        ("a = [true, false]", "{\"a\": [true, false]}"),
        // Dates and times.
        (
            "a = [1979-05-27, 07:32:00, 07:32:00.500, 2000-02-29]",
            #"{"a": ["1979-05-27", "07:32:00", "07:32:00.5", "2000-02-29"]}"#
        ),
        (
            "a = [1979-05-27T07:32:00, 1979-05-27t07:32:00.25z, 1979-05-27 07:32:00-08:00, 1979-05-27 07:32:00Z]",
            #"{"a": ["1979-05-27T07:32:00", "1979-05-27T07:32:00.25Z", "1979-05-27T07:32:00-08:00", "1979-05-27T07:32:00Z"]}"#
        ),
        ("a = 1979-05-27 # b", #"{"a": "1979-05-27"}"#),
        (
            "a = [1979-05-27T00:00:00.000+00:00, 1979-05-27T23:59:59-00:00, 0001-01-01, 9999-12-31 , 1]",
            #"{"a": ["1979-05-27T00:00:00Z", "1979-05-27T23:59:59Z", "0001-01-01", "9999-12-31", 1]}"#
        ),
    ]

    /// The value with texts in place of the numbers that JSON lacks.
    private static func marked(_ value: JSONValue) -> JSONValue {
        switch value {
        case .double(let number) where !number.isFinite: .string("@\(number)")
        case .array(let elements): .array(elements.map(marked))
        case .object(let members): .object(members.mapValues(marked))
        default: value
        }
    }

    @Test("a valid document has the values that it has in Python", arguments: documents)
    func valid(text: String, json: String) throws {
        let value = Self.marked(.object(try Self.table(text)))
        #expect(value.isEquivalent(to: try JSONValue(parsing: json)), "\(value)")
    }

    @Test("a time keeps nine digits after the second, and a byte order mark is skipped")
    func beyondPython() throws {
        #expect(try Self.table("a = 07:32:00.1234567891") == ["a": "07:32:00.123456789"])
        #expect(try Self.table("\u{FEFF}a = 1") == ["a": 1])
    }

    @Test("the keys of a table are sorted")
    func order() throws {
        #expect(try Self.table("b = 1\na.d = 1\n'é' = 1\na.c = 1\nB = 1").keys == ["B", "a", "b", "é"])
    }

    @Test("keys that differ in their normalization are different keys, and the last one counts")
    func normalization() throws {
        #expect(try Self.table("\"\\u00e9\" = 1\n\"e\\u0301\" = 2").count == 1)
    }

    @Test("100 parts of a key and 100 levels of values are read, and no more")
    func depth() throws {
        for count in [TOMLReader.maximumDepth, TOMLReader.maximumDepth + 1] {
            let key = Array(repeating: "a", count: count).joined(separator: ".")
            let brackets = (String(repeating: "[", count: count), String(repeating: "]", count: count))
            let braces = (String(repeating: "{a=", count: count), String(repeating: "}", count: count))
            for text in [
                "\(key) = 1", "[\(key)]", "[[\(key)]]", "a = \(brackets.0)\(brackets.1)", "a = \(braces.0)1\(braces.1)",
            ] {
                let isRead = (try? Self.table(text)) != nil
                #expect(isRead == (count == TOMLReader.maximumDepth), "\(text)")
            }
        }
        // The parts of a key within a value are levels of it.
        let key = Array(repeating: "a", count: 60).joined(separator: ".")
        #expect(throws: TOMLError.self) { try Self.table("a = {\(key) = {\(key) = 1}}") }
    }
}
