internal import FoundationEssentials
internal import PrefectFiles

/// The random mark on the infrastructure of one worker, which is stored in the worker's state directory.
public enum OwnerMark {
    /// The mark for a type of worker. Without a state directory, or when the mark cannot be stored, each process has
    /// another mark and does not recognise the infrastructure of earlier processes.
    public static func take(in directory: String?, ofType workerType: String) -> String {
        let fresh = UUID().uuidString.lowercased()
        guard let directory else { return fresh }
        let name = "\(workerType)-owner"
        if let bytes = RegularFile.read(name, below: directory, limit: 4096) {
            let kept = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
            if UUID(uuidString: kept) != nil { return kept }
        }
        RegularFile.replace(name, below: directory, with: Array(fresh.utf8))
        return fresh
    }
}
