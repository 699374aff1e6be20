import Glibc

/// The terminal of the process, if it has one.
enum Terminal {
    /// Whether the program can ask the user.
    static var isInteractive: Bool { isatty(0) == 1 && isatty(2) == 1 }

    /// Whether the output of runs is shown on a terminal.
    static var isOutput: Bool { isatty(1) == 1 || isatty(2) == 1 }

    /// Writes a text to the standard error output as it is, without a buffer.
    static func writeError(_ text: String) { _ = text.withCString { write(2, $0, strlen($0)) } }

    /// Asks for a line.
    static func ask(_ question: String) -> String? {
        writeError("\(question): ")
        return readLine(strippingNewline: true)
    }
}
