import Testing

@testable import PrefectTOML

@Suite("Refused TOML")
struct TOMLErrorTests {
    private static let notTable = "the name belongs to a value, to which no table or key can add"
    private static let noValue = "the value is not a number, a date, true or false, and a text needs quotes"
    private static let noTime =
        "a time has the form hh:mm:ss, up to 23:59:59, with an offset such as +01:00 only after a date"

    /// Invalid documents with the position and the reason of the error. Python's `tomllib` refuses them too, except for
    /// the integers beyond 64 bits.
    private static let documents: [(String, Int, Int, String)] = [
        // Lines.
        ("a = 1 b = 2", 1, 7, "the end of the line is expected"),
        ("a = 1\rb = 2", 1, 6, "the end of the line is expected"),
        ("a = 1\r", 1, 6, "the end of the line is expected"),
        ("[a] b = 1", 1, 5, "the end of the line is expected"),
        ("# \u{7}", 1, 3, "a comment contains a control character"),
        ("# \r", 1, 3, "a comment contains a control character"),
        ("a = 1,", 1, 6, "the end of the line is expected"),
        ("a = 1 }", 1, 7, "the end of the line is expected"),
        // Keys.
        ("a", 1, 2, "'=' is expected"),
        ("= 1", 1, 1, "a name is expected"),
        ("a.= 1", 1, 3, "a name is expected"),
        (".a = 1", 1, 1, "a name is expected"),
        ("a..b = 1", 1, 3, "a name is expected"),
        ("a b = 1", 1, 3, "'=' is expected"),
        ("a : 1", 1, 3, "'=' is expected"),
        ("a\n= 1", 1, 2, "'=' is expected"),
        ("\"\"\"a\"\"\" = 1", 1, 3, "'=' is expected"),
        ("\"a\nb\" = 1", 1, 3, "a string is not terminated"),
        ("a/b = 1", 1, 2, "'=' is expected"),
        ("a = ", 1, 5, "a value is expected"),
        ("a = # b", 1, 5, "a value is expected"),
        ("a == 1", 1, 4, "a value is expected"),
        ("aé = 1", 1, 2, "a value or a name of such characters must be in quotes"),
        ("'a", 1, 3, "a string is not terminated"),
        // Definitions.
        ("a = 1\na = 2", 2, 1, "the key is already defined"),
        ("a = 1\n\"a\" = 2", 2, 1, "the key is already defined"),
        ("a.b = 1\na.b = 2", 2, 3, "the key is already defined"),
        ("a = 1\na.b = 2", 2, 1, notTable),
        ("a.b = 1\na = 2", 2, 1, "the key is already defined"),
        ("[a]\n[a]", 2, 2, "the table is already defined"),
        ("[a.b]\n[a]\n[a]", 3, 2, "the table is already defined"),
        ("a = 1\n[a]", 2, 2, notTable),
        ("a = 1\n[a.b]", 2, 2, notTable),
        ("a.b = 1\n[a]", 2, 2, "the table is already defined"),
        ("[a]\nb.c = 1\n[a.b]", 3, 4, "the table is already defined"),
        ("[a.b.c]\n[a]\nb.c.d = 1", 3, 3, "a dotted key cannot add to a table with a header"),
        ("[a.b.c]\n[a]\nb.d = 1\n[a.b]", 4, 4, "the table is already defined"),
        // Definitions of arrays and inline tables.
        ("[a]\n[[a]]", 2, 3, "the table is already defined"),
        ("[[a]]\n[a]", 2, 2, "the table is already defined"),
        ("[[a.b]]\n[a]\nb.c = 1", 3, 1, "a dotted key cannot add to a table with a header"),
        ("[[a.b]]\n[a]\nb = 1", 3, 1, "the key is already defined"),
        ("a = []\n[[a]]", 2, 3, notTable),
        ("a = [{}]\n[a.b]", 2, 2, notTable),
        ("a = {}\n[a]", 2, 2, notTable),
        ("a = {}\n[a.b]", 2, 2, notTable),
        ("a = {}\na.b = 1", 2, 1, notTable),
        ("a.b = 1\n[[a]]", 2, 3, "the table is already defined"),
        ("a = {b = 1, b = 2}", 1, 13, "the key is already defined"),
        ("a = {b = {}, b.c = 1}", 1, 14, notTable),
        ("a = {b.c = 1, b = 2}", 1, 15, "the key is already defined"),
        // Headers.
        ("[a", 1, 3, "']' is expected"),
        ("[a\n]", 1, 3, "']' is expected"),
        ("[a]]", 1, 4, "the end of the line is expected"),
        ("[[a]", 1, 5, "']]' is expected"),
        ("[[a] ]", 1, 5, "']]' is expected"),
        ("[]", 1, 2, "a name is expected after '['"),
        ("[ [a]]", 1, 3, "a name is expected after '['"),
        ("[a.]", 1, 4, "a name is expected"),
        ("[a b]", 1, 4, "']' is expected"),
        ("['''a''']", 1, 4, "']' is expected"),
        ("[a = 1]", 1, 4, "']' is expected"),
        // Arrays.
        ("a = [", 1, 6, "a value or ']' is expected"),
        ("a = [1", 1, 7, "',' or ']' is expected"),
        ("a = [1 2]", 1, 8, "',' or ']' is expected"),
        ("a = [,]", 1, 6, "a value or ']' is expected"),
        ("a = [1,,2]", 1, 8, "a value or ']' is expected"),
        ("a = [1}", 1, 7, "',' or ']' is expected"),
        ("a = [1]]", 1, 8, "the end of the line is expected"),
        ("a = [b = 1]", 1, 6, noValue),
        // Inline tables.
        ("a = {", 1, 6, "a name is expected"),
        ("a = {b = 1", 1, 11, "',' or '}' is expected on the line of '{'"),
        ("a = {b = 1,}", 1, 12, "a name is expected"),
        ("a = {,}", 1, 6, "a name is expected"),
        ("a = {b = 1\n}", 1, 11, "',' or '}' is expected on the line of '{'"),
        ("a = {\nb = 1}", 1, 6, "a name is expected"),
        ("a = {b = 1 # c\n}", 1, 12, "',' or '}' is expected on the line of '{'"),
        ("a = {b = 1 c = 2}", 1, 12, "',' or '}' is expected on the line of '{'"),
        ("a = {b}", 1, 7, "'=' is expected"),
        ("a = {b = 1]", 1, 11, "',' or '}' is expected on the line of '{'"),
        // Strings.
        ("a = \"b", 1, 7, "a string is not terminated"),
        ("a = 'b\n'", 1, 7, "a string is not terminated"),
        (#"a = """b"""#, 1, 11, "a string is not terminated"),
        ("a = '''b", 1, 9, "a string is not terminated"),
        (#"a = """b"""""""#, 1, 14, "the end of the line is expected"),
        (#"a = "\x41""#, 1, 6, "an escape sequence is unknown"),
        ("a = \"\\\n\"", 1, 6, "an escape sequence is unknown"),
        (#"a = """\ b""""#, 1, 8, "an escape sequence is unknown"),
        (#"a = "\u12""#, 1, 8, "4 hexadecimal digits are expected"),
        (#"a = "\u+123""#, 1, 8, "4 hexadecimal digits are expected"),
        (#"a = "\uD800""#, 1, 8, "an escape sequence names no Unicode scalar"),
        (#"a = "\U00110000""#, 1, 8, "an escape sequence names no Unicode scalar"),
        ("a = \"\\", 1, 7, "a string is not terminated"),
        ("a = \"\u{1}\"", 1, 6, "a string contains a control character"),
        ("a = '\u{7F}'", 1, 6, "a string contains a control character"),
        (#"a = """\#r""""#, 1, 8, "a string contains a control character"),
        ("a = b", 1, 5, noValue),
        // Numbers.
        ("a = 01", 1, 5, noValue),
        ("a = +01.5", 1, 5, noValue),
        ("a = 1_", 1, 5, noValue),
        ("a = _1", 1, 5, noValue),
        ("a = 1__2", 1, 5, noValue),
        ("a = 0x", 1, 5, noValue),
        ("a = 0x_1", 1, 5, noValue),
        ("a = +0x1", 1, 5, noValue),
        ("a = 0b2", 1, 5, noValue),
        ("a = 0O7", 1, 5, noValue),
        ("a = 1.", 1, 5, noValue),
        ("a = .5", 1, 5, noValue),
        ("a = 1._5", 1, 5, noValue),
        ("a = 1e", 1, 5, noValue),
        ("a = 1e5.5", 1, 5, noValue),
        ("a = --1", 1, 5, noValue),
        ("a = +", 1, 5, noValue),
        ("a = 9223372036854775808", 1, 5, "an integer is outside the range of 64 bits"),
        ("a = -9223372036854775809", 1, 5, "an integer is outside the range of 64 bits"),
        ("a = 0x8000000000000000", 1, 5, "an integer is outside the range of 64 bits"),
        ("a = Inf", 1, 5, noValue),
        ("a = True", 1, 5, noValue),
        ("a = tru", 1, 5, noValue),
        ("a = 1a", 1, 5, noValue),
        // Dates and times.
        ("a = 1979-5-27", 1, 5, noValue),
        ("a = 1979-02-29", 1, 5, "the calendar has no such date"),
        ("a = 1900-02-29", 1, 5, "the calendar has no such date"),
        ("a = 1979-13-01", 1, 5, "the calendar has no such date"),
        ("a = 1979-04-31", 1, 5, "the calendar has no such date"),
        ("a = 0000-01-01", 1, 5, "the calendar has no such date"),
        ("a = 1979-05-27T", 1, 16, "an hour is expected after the date"),
        ("a = 1979-05-27T7:32:00", 1, 16, noTime),
        ("a = 1979-05-27T07:32", 1, 16, noTime),
        ("a = 1979-05-27 24:00:00", 1, 16, noTime),
        ("a = 07:60:00", 1, 5, noTime),
        ("a = 07:32:60", 1, 5, noTime),
        ("a = 07:32:00.", 1, 5, noTime),
        ("a = 07:32:00Z", 1, 5, noTime),
        ("a = 1979-05-27T07:32:00+24:00", 1, 16, noTime),
        ("a = 1979-05-27T07:32:00+0100", 1, 16, noTime),
        ("a = 1979-05-27Z", 1, 5, noValue),
        ("a = [1979-0_5-27 5]", 1, 6, noValue),
        ("a = 1979-a5-!7 5", 1, 5, noValue),
    ]

    private static func error(_ bytes: [UInt8]) -> TOMLError? {
        do throws(TOMLError) {
            _ = try TOMLReader.table(in: bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test("an invalid document is refused with the position of the error", arguments: documents)
    func invalid(text: String, line: Int, column: Int, reason: String) {
        #expect(Self.error(Array(text.utf8)) == TOMLError(reason: reason, line: line, column: column))
    }

    @Test("a column counts Unicode scalars")
    func columns() {
        #expect(Self.error(Array("é = 1".utf8))?.column == 1)
        #expect(Self.error(Array("'é😀' = 01".utf8))?.column == 8)
    }

    @Test("invalid UTF-8 is refused in every place")
    func encoding() {
        for byte: UInt8 in [0x80, 0xC3, 0xED, 0xF5, 0xFF] {
            for (before, after) in [
                ("", "= 1"), ("a = ", ""), ("[", "]"), ("a = '", "'"), ("\"", "\" = 1"), ("a = \"\"\"\n", "\"\"\""),
                ("# ", "\n"),
                ("a = [", "]"), ("a = {b", " = 1}"), ("a = 1", ""), ("a = 1 ", ""),
            ] {
                let error = Self.error(Array(before.utf8) + [byte] + Array(after.utf8))
                #expect(error?.line == (before.contains("\n") ? 2 : 1), "\(before)")
            }
        }
        #expect(
            Self.error(Array("a = '".utf8) + [0xFF, UInt8(ascii: "'")])
                == TOMLError(reason: "the text that begins here is not UTF-8", line: 1, column: 6))
    }
}
