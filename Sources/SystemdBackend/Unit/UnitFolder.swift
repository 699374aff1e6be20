internal import Files
internal import FoundationEssentials
internal import Glibc
internal import Worker

/// What the worker keeps of a unit, readable by its own user alone.
///
///     start          the script that the unit begins with, which has the run's environment
///     finish         what the unit runs when nothing else of it is left, with none of the run's environment
///     workspace      there is such a file when the unit's private directory outlives it, for the flow's hooks
///     streams        there is such a file when what the run prints is copied to the worker's own output
///     end            how the unit ended, which that has written
struct UnitFolder: Sendable, Hashable {
    let path: String

    var start: String { path + "/start" }
    var finish: String { path + "/finish" }
    private var workspaceMark: String { path + "/workspace" }
    private var streamsMark: String { path + "/streams" }
    var end: String { path + "/end" }

    /// Notes how the unit ended.
    private static let finishing = #"""
        umask 077
        rm -rf -- "${0%/*}/end"
        printf '%s\n%s\n%s\n' "$SERVICE_RESULT" "$EXIT_CODE" "$EXIT_STATUS" >"${0%/*}/end"

        """#
    /// Removes the unit's private directory.
    ///
    /// Only root can do so where a run has made directories that their owner may not enter. Everybody else opens them first.
    static let removal =
        "rm -rf -- \"$CACHE_DIRECTORY\" || [ \"$(id -u)\" = 0 ] || "
        + "{ chmod -R u+rwx -- \"$CACHE_DIRECTORY\"; rm -rf -- \"$CACHE_DIRECTORY\"; }\n"

    init(of unit: UnitName, in root: String) { path = "\(root)/\(unit.stem)" }

    /// The units that have one.
    static func all(in root: String) -> [UnitName] {
        ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { UnitName("\($0).service") }
    }

    /// Makes the folder, and what is in it at the beginning.
    func create(_ unit: TransientUnit, streams: Bool) throws(InfrastructureError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try write(unit.script, to: "start")
            try write(Self.finishing + (unit.keepsDirectory ? "" : Self.removal), to: "finish")
            if unit.ownsKeptDirectory { try write("", to: "workspace") }
            if streams { try write("", to: "streams") }
        } catch {
            throw InfrastructureError(
                .unavailable,
                "No folder for the run's unit can be made at '\(path)': \(String(cString: strerror(errno))); free space "
                    + "or use another --state-dir")
        }
    }

    /// Writes a file that was never readable by others, not even for a moment.
    private func write(_ text: String, to name: String) throws {
        guard RegularFile.replace(name, below: path, with: Array(text.utf8)) else {
            throw CocoaError(.fileWriteUnknown)
        }
    }

    /// How the unit ended, if it has said so.
    func readEnd() -> UnitEnd? {
        RegularFile.read("end", below: path, limit: 4096).flatMap { UnitEnd(text: String(decoding: $0, as: UTF8.self)) }
    }

    /// Opens the script that the unit begins with; `nil` with `errno` set when that cannot be read.
    func openStart() -> Descriptor? { RegularFile.open("start", below: path, O_RDONLY) }

    /// Whether the worker has to remove the private directory of the unit after the run's end.
    var keepsWorkspace: Bool { access(workspaceMark, F_OK) == 0 }

    /// Whether what the run prints is copied.
    var streams: Bool { access(streamsMark, F_OK) == 0 }

    /// Whether the unit has ended and said how.
    var hasEnd: Bool { access(end, F_OK) == 0 }

    /// Keeps a unit from being started that has not been yet.
    func forbidStart() { unlink(start) }

    func remove() { TreeRemoval.remove(path) }
}
