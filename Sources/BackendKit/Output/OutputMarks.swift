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
