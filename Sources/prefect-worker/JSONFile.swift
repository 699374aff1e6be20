import FoundationEssentials
import PrefectJSON
import WorkerKit

/// JSON from files that a user names.
enum JSONFile {
    /// Reads a file; `what` describes the file in messages.
    static func read(_ path: String, what: String) throws -> JSONValue {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw Refusal("\(what) '\(path)' cannot be read; check that the file exists and may be read")
        }
        do {
            return try JSONValue(parsing: Array(data))
        } catch {
            throw Refusal("\(what) '\(path)' is \(error)")
        }
    }
}
