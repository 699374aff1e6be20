import Testing

@testable import PrefectClient

@Suite("The .env file")
struct DotenvFileTests {
    private func value(_ text: String, environment: [String: String] = [:]) -> String? {
        DotenvFile(parsing: text, environment: environment)["A"]
    }

    @Test(
        "values are read with quotes, escapes and comments",
        arguments: [
            ("A=plain", "plain"), ("A = spaced # comment", "spaced"), ("export A=x", "x"), ("export\tA=x", "x"),
            ("A=\"a b\" # c", "a b"), ("A='k\"\\'x'", "k\"'x"), ("A=a#b", "a#b"), ("A=#x", "#x"), ("A= #c", ""),
            ("A=", ""), ("A=\"l1\nl2\\n\\t\\\"q\"", "l1\nl2\n\t\"q"), ("A=a\\nb", "a\\nb"),
            ("A=\"\\$x \\z\"", "\\$x \\z"),
            ("'A'=q", "q"), ("\u{FEFF}A=bom", "bom"), ("A=1\r\nB=2\r\n", "1"), ("A=1\nA=2", "2"),
            ("A={\"a\":\"b\"}", "{\"a\":\"b\"}"),
            ("# A=1\nA=2", "2"), ("exports=1\nA=3", "3"),
        ])
    func values(text: String, expected: String) {
        #expect(value(text) == expected)
    }

    @Test(
        "variables in values are replaced, and the file's variables take precedence over the environment's",
        arguments: [
            ("A=${X}-${Y:-d}-$X", "1-d-$X"), ("X=2\nA=${X}", "2"), ("A='${X}'", "1"), ("A=\"${NONE}.${Q:-}\"", "."),
            ("A=${X", "${X"), ("A=${X:y}", "${X:y}"),
        ])
    func references(text: String, expected: String) {
        #expect(value(text, environment: ["X": "1"]) == expected)
    }

    @Test("a line that is not an assignment is skipped and reported, and later lines are read")
    func skipped() {
        let file = DotenvFile(parsing: "bad line here\n\nC=\"x\" y\nB=2\nE\nD=4\nA=\"open\nF=5\n", environment: [:])
        #expect(file.variables.map(\.key) == ["B", "D", "F"])
        #expect(file.variables.map(\.value) == ["2", "4", "5"])
        #expect(file.skippedLines == [1, 3, 7])
    }
}
