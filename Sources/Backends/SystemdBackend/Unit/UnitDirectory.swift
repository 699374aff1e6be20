internal import BackendKit
internal import FoundationEssentials
internal import Glibc
internal import PrefectFiles

/// The files that the worker keeps for a unit. Only the worker's own user can read them.
///
///     start          the script that the unit begins with, which contains the run's environment
///     finish         the command that the unit runs after everything else has ended, without the run's environment
///     workspace      exists if the unit's private directory outlives the unit, for the flow's hooks
///     streams        exists if the output of the run is copied to the worker's own output
///     end            the record of how the unit ended, which the unit itself writes
struct UnitDirectory: Sendable, Hashable {
    let path: String

    var start: String { path + "/start" }
    var finish: String { path + "/finish" }
    private var workspaceMark: String { path + "/workspace" }
    private var streamsMark: String { path + "/streams" }
    var end: String { path + "/end" }

    /// Records how the unit ended.
    private static let finishing = #"""
        umask 077
        rm -rf -- "${0%/*}/end"
        printf '%s\n%s\n%s\n' "$SERVICE_RESULT" "$EXIT_CODE" "$EXIT_STATUS" >"${0%/*}/end"

        """#
    /// Removes the unit's private directory.
    ///
    /// A run may have created directories that even their owner may not enter. Root can remove them. Any other user
    /// changes their permissions first.
    static let removal =
        "rm -rf -- \"$CACHE_DIRECTORY\" || [ \"$(id -u)\" = 0 ] || "
        + "{ chmod -R u+rwx -- \"$CACHE_DIRECTORY\"; rm -rf -- \"$CACHE_DIRECTORY\"; }\n"

    init(of unit: UnitName, in root: String) { path = "\(root)/\(unit.stem)" }

    /// Returns the units that have a directory.
    static func all(in root: String) -> [UnitName] {
        ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { UnitName("\($0).service") }
    }

    /// Creates the directory with its initial files.
    func create(_ unit: TransientUnit, streams: Bool) throws(InfrastructureError) {
        var files = [("start", unit.script), ("finish", Self.finishing + (unit.keepsDirectory ? "" : Self.removal))]
        if unit.ownsKeptDirectory { files.append(("workspace", "")) }
        if streams { files.append(("streams", "")) }
        let isCreated =
            Directory.create(path)
            && files.allSatisfy { RegularFile.replace($0, below: path, with: Array($1.utf8)) }
        guard isCreated else {
            throw InfrastructureError(
                .unavailable,
                "The directory of the run's unit cannot be created at '\(path)': \(systemMessage(errno)); "
                    + "free space or use another --state-dir")
        }
    }

    /// How the unit ended; `nil` without a record.
    func readEnd() -> UnitEnd? {
        RegularFile.read("end", below: path, limit: 4096).flatMap { UnitEnd(text: String(decoding: $0, as: UTF8.self)) }
    }

    /// Opens the script that the unit begins with. Returns `nil`, with `errno` set, when the script cannot be read.
    func openStart() -> Descriptor? { RegularFile.open("start", below: path, O_RDONLY) }

    /// Whether the worker has to remove the private directory of the unit after the run's end.
    var keepsWorkspace: Bool { access(workspaceMark, F_OK) == 0 }

    /// Whether the output of the run is copied.
    var streams: Bool { access(streamsMark, F_OK) == 0 }

    /// Whether the unit has ended and recorded how.
    var hasEnd: Bool { access(end, F_OK) == 0 }

    /// Prevents the start of a unit that has not been started yet.
    func forbidStart() { unlink(start) }

    func remove() { TreeRemoval.remove(path) }
}
