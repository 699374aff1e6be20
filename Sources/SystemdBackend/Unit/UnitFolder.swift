internal import FoundationEssentials
internal import Glibc
internal import Worker

/// What the worker keeps of a unit, readable by its own user alone.
///
///     start          the script that the unit begins with, which has the run's environment
///     finish         what the unit runs when nothing else of it is left, with none of the run's environment
///     streams        there is such a file when what the run prints is copied to the worker's own output
///     end            how the unit ended, which that has written
struct UnitFolder: Sendable, Hashable {
    let path: String

    var start: String { path + "/start" }
    var finish: String { path + "/finish" }
    private var streamsMark: String { path + "/streams" }
    var end: String { path + "/end" }

    /// Notes how the unit ended, and removes its private directory.
    private static let finishing = #"""
        umask 077
        printf '%s\n%s\n%s\n' "$SERVICE_RESULT" "$EXIT_CODE" "$EXIT_STATUS" >"${0%/*}/end"
        rm -rf -- "$CACHE_DIRECTORY"

        """#

    init(of unit: UnitName, in root: String) { path = "\(root)/\(unit.stem)" }

    /// The units that have one.
    static func all(in root: String) -> [UnitName] {
        ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { UnitName("\($0).service") }
    }

    /// Makes the folder, and what is in it at the beginning.
    func create(script: String, streams: Bool) throws(InfrastructureError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try Self.write(script, to: start)
            try Self.write(Self.finishing, to: finish)
            if streams { try Self.write("", to: streamsMark) }
        } catch {
            throw InfrastructureError(
                .unavailable,
                "No folder for the run's unit can be made at '\(path)': \(String(cString: strerror(errno))); free space "
                    + "or use another --state-dir")
        }
    }

    /// Writes a file that was never readable by others, not even for a moment.
    private static func write(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw CocoaError(.fileWriteUnknown) }
        defer { close(descriptor) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw CocoaError(.fileWriteOutOfSpace) }
            rest = rest.dropFirst(count)
        }
    }

    /// How the unit ended, if it has said so.
    func readEnd() -> UnitEnd? {
        FileManager.default.contents(atPath: end).flatMap { UnitEnd(text: String(decoding: $0, as: UTF8.self)) }
    }

    /// Whether what the run prints is copied.
    var streams: Bool { access(streamsMark, F_OK) == 0 }

    /// Whether the unit has ended and said how.
    var hasEnd: Bool { access(end, F_OK) == 0 }

    /// Keeps a unit from being started that has not been yet.
    func forbidStart() { unlink(start) }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
