internal import PrefectJSON

/// A reason that the user has to correct before a worker can serve. The description is one line and names the remedy.
/// It contains no terminal control sequences, although files, variables and the API may have put them there.
public struct WorkerRefusal: Error, Sendable, CustomStringConvertible {
    /// The reason in one line.
    public let description: String

    package init(_ description: String) { self.description = description.escapedForTerminal() }
}
