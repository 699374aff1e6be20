import PrefectJSON
import Testing

@testable import JobTemplates

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

@Suite("Quoting for a shell")
struct ShellQuotingTests {
    @Test(
        "a quoted word is one word with the same text",
        arguments: ["", "plain", "two words", "it's", "''", "a'\u{301}; b", "$HOME `x` \\", "é\n\u{1f600}"])
    func words(word: String) throws {
        #expect(try ShellWords.split(shellQuoted(word)) == [word])
        let quoted = singleQuoted(word)
        #expect(try ShellWords.split(quoted) == [word])
        #expect(quoted.utf8.first == UInt8(ascii: "'") && quoted.utf8.last == UInt8(ascii: "'"))
    }
}
