import FoundationEssentials
import Glibc

/// The processes of this machine, as `/proc` shows them.
enum ProcessTable {
    /// The processes that have an environment variable with a value.
    static func processes(withVariable name: String, _ value: String) -> [Int32] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        let variable = Array("\(name)=\(value)".utf8)
        return entries.compactMap { Int32($0) }.filter { process in
            isAlive(process) && read("/proc/\(process)/environ").split(separator: 0).contains { $0 == variable[...] }
        }
    }

    /// The child processes of a process. `isZombie` marks those that have ended and were not waited for.
    static func children(of parent: Int32) -> [(process: Int32, isZombie: Bool)] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap { Int32($0) }.compactMap { process in
            let standing = standing(of: process)
            guard standing.count > 1, standing[1] == String(parent) else { return nil }
            return (process, standing[0] == "Z")
        }
    }

    /// Whether a process exists and has not ended.
    static func isAlive(_ process: Int32) -> Bool {
        guard let state = standing(of: process).first else { return false }
        return !["Z", "X"].contains(state)
    }

    /// The fields of `/proc/<id>/stat` from the state and the parent on; empty when the process does not exist.
    private static func standing(of process: Int32) -> [Substring] {
        // The fields follow the name, which is in parentheses and may contain any character.
        let status = String(decoding: read("/proc/\(process)/stat"), as: UTF8.self)
        return status.lastIndex(of: ")").map { status[$0...].dropFirst().split(separator: " ") } ?? []
    }

    /// The command line of a process, its words separated by spaces.
    static func commandLine(_ process: Int32) -> String {
        read("/proc/\(process)/cmdline").split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            .joined(separator: " ")
    }

    /// Kills a process.
    static func kill(_ process: Int32) { _ = Glibc.kill(process, SIGKILL) }

    private static func read(_ path: String) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = Glibc.read(file, &buffer, buffer.count), count > 0 { bytes += buffer.prefix(count) }
        return bytes
    }
}
