import BackendKit
import Foundation
import JobTemplates
import PrefectJSON
import TestSupport
import Testing

@testable import ProcessBackend

struct ShellWordsTests {
    @Test(
        "a command line is split as by a shell",
        arguments: [
            ("python -m prefect.engine --flag 'a b'", ["python", "-m", "prefect.engine", "--flag", "a b"]),
            ("a\"b c\"d 'e'\"f\"", ["ab cd", "ef"]), ("\\ a \"\\\"\\x\"", [" a", "\"\\x"]), ("a '' b", ["a", "", "b"]),
            ("  # no comment\n x", ["#", "no", "comment", "x"]), ("é 'ü ñ'", ["é", "ü ñ"]), (" \t\n", []),
        ])
    func split(line: String, words: [String]) throws {
        #expect(try ShellWords.split(line) == words)
    }

    @Test("a command line that cannot be split fails with the reason")
    func failures() {
        #expect(throws: ShellWords.Failure.noClosingQuotation) { try ShellWords.split("a 'b") }
        #expect(throws: ShellWords.Failure.noClosingQuotation) { try ShellWords.split("a \"b\\\"") }
        #expect(throws: ShellWords.Failure.noEscapedCharacter) { try ShellWords.split("a \\") }
    }

    @Test("random command lines are split exactly as by Python's shlex")
    func differential() async throws {
        var random = SystemRandomNumberGenerator()
        let alphabet = Array("ab'\"\\ \t\n#$é\r;").map(String.init)
        let lines = (0..<3000).map { _ in
            (0..<Int.random(in: 0...14, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "" }
                .joined()
        }
        let bench = try Workbench()
        _ = try bench.directory.write("lines.json", JSONValue.array(lines.map(JSONValue.string)).serialized())
        let status = try await bench.run(
            bench.python(
                """
                import json, os, shlex
                here = os.environ["T"]
                def split(line):
                    try:
                        return shlex.split(line)
                    except ValueError as error:
                        return str(error)
                with open(here + "/lines.json", encoding="utf-8") as file:
                    lines = json.load(file)
                with open(here + "/words.json", "w", encoding="utf-8") as file:
                    json.dump([split(line) for line in lines], file)
                """))
        #expect(status.code == 0)
        let answers = try JSONValue(parsing: bench.directory.read("words.json") ?? "").arrayValue ?? []
        #expect(answers.count == lines.count)
        for (line, answer) in zip(lines, answers) {
            let expected: JSONValue
            do {
                expected = .array(try ShellWords.split(line).map(JSONValue.string))
            } catch {
                expected = error == .noClosingQuotation ? "No closing quotation" : "No escaped character"
            }
            #expect(expected == answer, "\(line.debugDescription)")
        }
    }
}
