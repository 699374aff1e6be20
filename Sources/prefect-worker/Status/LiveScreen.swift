import Dispatch
import Glibc

/// A terminal whose whole screen the program draws, while it reads single keys.
///
/// The terminal gets its own content, cursor and modes back in ``leave()``. The signals that end a program are events,
/// so none of them ends it before that.
final class LiveScreen {
    /// An event at the terminal.
    enum Event: Sendable {
        case key(UInt8)
        case resized
        /// The terminal was closed.
        case closed
        /// SIGINT, SIGTERM, SIGHUP or SIGQUIT.
        case ended(by: Int32)
        case suspended
    }

    private var modes = termios()
    private var sources: [any DispatchSourceProtocol] = []

    /// Whether the program has a terminal for keys and for output.
    static var isAvailable: Bool { isatty(0) == 1 && isatty(1) == 1 }

    /// Passes events to `handler` from now on; ``enter()`` begins to draw.
    init(_ handler: @escaping @Sendable (Event) -> Void) {
        tcgetattr(0, &modes)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            sources.append(handleSignal(number) { handler(.ended(by: number)) })
        }
        sources.append(handleSignal(SIGWINCH) { handler(.resized) })
        sources.append(handleSignal(SIGTSTP) { handler(.suspended) })
        let keys = DispatchSource.makeReadSource(fileDescriptor: 0)
        keys.setEventHandler {
            var key: UInt8 = 0
            handler(read(0, &key, 1) == 1 ? .key(key) : .closed)
        }
        keys.resume()
        sources.append(keys)
    }

    /// Shows an empty screen, and reads keys without echo.
    func enter() {
        var raw = modes
        cfmakeraw(&raw)
        tcsetattr(0, TCSADRAIN, &raw)
        write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[2J")
    }

    /// Restores the terminal.
    func leave() {
        write("\u{1B}[?25h\u{1B}[?1049l")
        tcsetattr(0, TCSADRAIN, &modes)
    }

    /// Stops this process as Ctrl-Z does, until somebody lets it continue.
    func suspend() {
        leave()
        // Sent to this thread, which otherwise could continue for a moment while another one takes the signal.
        raise(SIGSTOP)
        enter()
    }

    /// Restores the terminal and ends the reading of events.
    func close() {
        for source in sources { source.cancel() }
        leave()
    }

    /// The size of the terminal in columns and rows; 80 and 24 if the output is no terminal.
    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Draws lines that fit the terminal, in place of all others.
    func draw(_ lines: [String]) {
        write("\u{1B}[H" + lines.joined(separator: "\u{1B}[K\r\n") + "\u{1B}[K\u{1B}[J")
    }

    private func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { return }
            rest = rest.dropFirst(max(0, count))
        }
    }
}
