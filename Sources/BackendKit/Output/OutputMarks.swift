internal import FoundationEssentials
internal import PrefectFiles

/// Records in the worker's state directory how far the output of infrastructure has been printed. The next process
/// continues from there.
public struct OutputMarks: Sendable {
    private let directory: String?

    /// The marks of a type of worker in a state directory. No marks are kept without a directory, or when it cannot be
    /// written.
    public init(stateDirectory: String?, ofType workerType: String) {
        directory = stateDirectory.map { "\($0)/\(workerType)-output" }
        if let directory {
            try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        }
    }

    /// How far the output of this name has been printed, if an earlier process has printed any of it.
    @inline(never)
    public func position(of name: String) -> OutputPosition? { text(of: name).flatMap { OutputPosition(text: $0) } }

    /// The same position in the form of the service that stores the output.
    public func text(of name: String) -> String? {
        guard let directory, isFileName(name), let bytes = RegularFile.read(name, below: directory, limit: 4096) else {
            return nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Records how far the output has been printed.
    @inline(never)
    public func set(_ position: OutputPosition, of name: String) {
        if let text = position.text { set(text: text, of: name) }
    }

    /// Records how far the output has been printed, in the form of the service that stores the output.
    @inline(never)
    public func set(text: String, of name: String) {
        guard let directory, isFileName(name) else { return }
        RegularFile.replace(name, below: directory, with: Array(text.utf8))
    }

    /// The mark of one output that is being printed.
    public func mark(of name: String) -> OutputMark { OutputMark(name: name, marks: self) }

    /// Removes the record of this output.
    public func remove(_ name: String) {
        if let directory, isFileName(name) { TreeRemoval.remove("\(directory)/\(name)") }
    }

    /// Whether a file can have this name. The name may come from an untrusted source.
    private func isFileName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count < 200
            && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
    }

    /// Removes the records of all output except that of the kept names.
    public func removeAll(unless isKept: (String) -> Bool) {
        guard let directory else { return }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        for name in names where !isKept(name) { remove(name) }
    }
}

/// The mark of an output that is being printed. It is written at most once a second until the output ends.
public struct OutputMark: Sendable {
    private static let interval = Duration.seconds(1)

    fileprivate let name: String
    fileprivate let marks: OutputMarks
    private var written = ContinuousClock.now

    fileprivate init(name: String, marks: OutputMarks) { (self.name, self.marks) = (name, marks) }

    /// How far an earlier process has printed the output, if it has printed any of it.
    public var position: OutputPosition? { marks.position(of: name) }

    /// Notes how far the output has been printed. Writes that unless the mark was written within the last second.
    @inline(never)
    public mutating func advance(to position: OutputPosition) {
        guard ContinuousClock.now - written >= Self.interval else { return }
        written = .now
        marks.set(position, of: name)
    }

    /// Writes how far the output was printed at its end.
    public func end(at position: OutputPosition) { marks.set(position, of: name) }
}
