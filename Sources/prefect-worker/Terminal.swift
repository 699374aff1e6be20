import Glibc

/// The terminal, where there is one.
enum Terminal {
    /// Whether somebody can be asked.
    static var isInteractive: Bool { isatty(0) == 1 && isatty(2) == 1 }

    /// Whether what runs print is shown on a terminal.
    static var isOutput: Bool { isatty(1) == 1 || isatty(2) == 1 }

    /// Asks for a line.
    static func ask(_ question: String) -> String? {
        _ = "\(question): ".withCString { write(2, $0, strlen($0)) }
        return readLine(strippingNewline: true)
    }
}
