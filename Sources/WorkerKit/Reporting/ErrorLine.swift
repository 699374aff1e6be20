/// The line of a program's last output that explains best why the program failed.
enum ErrorLine {
    /// The exception of the last Python traceback; without a traceback, the last line that looks like an error;
    /// otherwise the last line. `nil` for a text of whitespace only.
    static func line(of output: String) -> Substring? {
        let lines = output.split(whereSeparator: \.isNewline).filter { $0.contains { !$0.isWhitespace } }
        return exception(in: lines) ?? lines.last(where: looksLikeError) ?? lines.last
    }

    /// The first line after the last traceback's frames, which begin with spaces.
    private static func exception(in lines: [Substring]) -> Substring? {
        guard let start = lines.lastIndex(where: { $0.contains("Traceback (most recent call last):") }) else {
            return nil
        }
        return lines[(start + 1)...].first { $0.first?.isWhitespace == false }
    }

    private static func looksLikeError(_ line: Substring) -> Bool {
        let line = line.lowercased()
        return words.contains { line.contains($0) }
    }

    private static let words = [
        "error", "exception", "fatal", "panic", "critical", "not found", "no such file", "denied", "cannot", "failed",
        "killed", "segmentation fault", "out of memory",
    ]
}
