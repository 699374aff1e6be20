internal import Files
internal import FoundationEssentials

/// Records in the worker's state directory how far the output of infrastructure has been printed. The next process
/// continues from there.
public struct OutputMarks: Sendable {
    private let folder: String?

    /// The marks of a type of worker in a state directory. No marks are kept without a directory, or when it cannot be
    /// written.
    public init(stateDirectory: String?, ofType workerType: String) {
        folder = stateDirectory.map { "\($0)/\(workerType)-output" }
        if let folder { try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }
    }

    /// How far the output of this name has been printed, if an earlier process has printed any of it.
    public func position(of name: String) -> OutputPosition? {
        guard let folder, isFileName(name), let bytes = RegularFile.read(name, below: folder, limit: 4096) else {
            return nil
        }
        return OutputPosition(text: String(decoding: bytes, as: UTF8.self))
    }

    /// Records how far the output has been printed.
    public func set(_ position: OutputPosition, of name: String) {
        guard let folder, isFileName(name), let text = position.text else { return }
        RegularFile.replace(name, below: folder, with: Array(text.utf8))
    }

    /// Removes the record of this output.
    public func remove(_ name: String) {
        if let folder, isFileName(name) { TreeRemoval.remove("\(folder)/\(name)") }
    }

    /// Whether a file can have this name. The name may come from an untrusted source.
    private func isFileName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count < 200
            && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
    }

    /// Removes the records of all output except that of the kept names.
    public func removeAll(unless isKept: (String) -> Bool) {
        guard let folder else { return }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in names where !isKept(name) { remove(name) }
    }
}
