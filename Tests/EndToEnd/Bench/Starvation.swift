/// Runs that end for lack of memory.
enum Starvation {
    /// A command that uses more and more memory.
    static let command = "x=12345678; while :; do x=$x$x; done"

    /// The message of a run that has ended for lack of memory. Docker loses the report of the cause for one container in
    /// forty, and for more on a busy machine. So another run is started, up to two times, until a message has this text.
    ///
    /// - Parameter crash: Starts a run, and returns the message of its crash.
    static func message(naming cause: String, _ crash: () async throws -> String) async throws -> String {
        var message = ""
        for _ in 0..<3 where !message.contains(cause) { message = try await crash() }
        return message
    }
}
