import Foundation
import Glibc
import PrefectJSON
import TestSupport
import Testing

/// A machine that a real systemd has booted and that tests may change. `TEST_SYSTEMD_ROOT` names the directory of this
/// machine that is its `/`, and both share a network. The systemd machine is a container that runs systemd, or a
/// directory that `systemd` was started in.
struct SystemdMachine: Sendable {
    /// The id, on this machine, of the first process of the systemd machine.
    let leader: String

    /// The machine of the environment; `nil` without one.
    static let current: SystemdMachine? = {
        guard let root = ProcessInfo.processInfo.environment["TEST_SYSTEMD_ROOT"], let wanted = identity(of: root)
        else { return nil }
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.filter { $0.allSatisfy(\.isNumber) }
            .first { process in
                let name = FileManager.default.contents(atPath: "/proc/\(process)/comm") ?? Data()
                return name == Data("systemd\n".utf8) && identity(of: "/proc/\(process)/root/") == wanted
            }.map(SystemdMachine.init)
    }()

    /// The path, on the machine, of a Python with Prefect; `nil` without one.
    static let python = ProcessInfo.processInfo.environment["TEST_SYSTEMD_PYTHON"]

    /// The device and the inode of a file, which identify it.
    private static func identity(of path: String) -> [UInt64]? {
        var status = stat()
        return stat(path, &status) == 0 ? [UInt64(status.st_dev), UInt64(status.st_ino)] : nil
    }

    /// Runs a command on the machine and returns its output and its exit status.
    func outcome(_ command: [String], timeout: Duration = .seconds(60)) async throws -> WorkerProgram.Outcome {
        let place = ["--target", leader, "--pid", "--mount", "--uts", "--ipc", "--root", "--wd"]
        return try await withChildProcess("nsenter", place + command) { child in
            let status = try await child.waitForExit(timeout: timeout)
            return WorkerProgram.Outcome(status: status, output: child.output, errors: child.errors)
        }
    }

    /// Whether a command failed because the bus or the manager was unavailable. Some tests restart both.
    private static func foundNoManager(_ outcome: WorkerProgram.Outcome) -> Bool {
        outcome.status != .exited(0)
            && ["message bus", "to bus", "Transport endpoint", "org.freedesktop.systemd1"].contains {
                outcome.text.contains($0)
            }
    }

    /// Runs a command, which must succeed, and returns its lines. A command that finds no manager is run again.
    @discardableResult
    func run(_ command: String...) async throws -> [String] {
        var outcome = try await outcome(command)
        for _ in 0..<60 where Self.foundNoManager(outcome) {
            try await Task.sleep(for: .milliseconds(300))
            outcome = try await self.outcome(command)
        }
        guard outcome.status == .exited(0) else {
            throw Explained(
                error: WaitTimeout(what: "\(command.joined(separator: " ")) succeeds", timeout: .zero),
                detail: "\(outcome.status): \(outcome.text)")
        }
        return outcome.output
    }

    /// The path, on this machine, of a file of the systemd machine.
    func path(_ path: String) -> String { "/proc/\(leader)/root\(path)" }

    /// Writes a file and creates the directories above it.
    func write(_ text: String, to path: String, isExecutable: Bool = false) throws {
        let directory = (self.path(path) as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try TestFile.write(text, to: self.path(path), isExecutable: isExecutable)
    }

    /// The lines of a file; empty while the file does not exist.
    func lines(_ path: String) -> [String] {
        let bytes = FileManager.default.contents(atPath: self.path(path)) ?? Data()
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Whether a file exists.
    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: self.path(path)) }

    /// The names in a directory; empty while the directory does not exist.
    func names(in directory: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: path(directory))) ?? []
    }

    /// Copies a program of this machine into a directory. Libraries that the systemd machine lacks go into the same
    /// directory.
    func install(_ program: String, in directory: String) async throws {
        try FileManager.default.createDirectory(atPath: path(directory), withIntermediateDirectories: true)
        let libraries = try await withChildProcess("ldd", [program]) { child in
            try await child.waitForExit()
            return child.output.compactMap { line in
                line.split(separator: " ").first { $0.hasPrefix("/") }.map(String.init)
            }
        }
        for file in [program] + libraries.filter({ !FileManager.default.fileExists(atPath: path($0)) }) {
            let copy = path(directory) + "/" + (file as NSString).lastPathComponent
            let origin = URL(filePath: file).resolvingSymlinksInPath().path
            // A hard link takes no space. Where it is not possible, the file is copied.
            guard (try? FileManager.default.linkItem(atPath: origin, toPath: copy)) == nil else { continue }
            try FileManager.default.copyItem(atPath: origin, toPath: copy)
        }
    }

    // MARK: Units

    /// Installs the file of a unit, or replaces it.
    func installUnit(_ name: String, _ text: String) async throws {
        try write(text, to: "/etc/systemd/system/\(name)")
        try await run("systemctl", "daemon-reload")
    }

    /// Stops units by their names or patterns, resets their failed state, and removes their unit files.
    func removeUnits(_ names: [String]) async throws {
        _ = try await outcome(["systemctl", "kill", "--signal=KILL"] + names)
        _ = try await outcome(["systemctl", "stop"] + names)
        for name in names { try? FileManager.default.removeItem(atPath: path("/etc/systemd/system/\(name)")) }
        try await run("systemctl", "daemon-reload")
        _ = try await outcome(["systemctl", "reset-failed"] + names)
    }

    /// A property of a unit as `systemctl show` prints it; empty when the property is not set.
    func property(_ name: String, of unit: String) async throws -> String {
        try await run("systemctl", "show", "--value", "--property", name, unit).joined(separator: "\n")
    }

    /// Waits until a unit's property has a value.
    func waitForUnit(
        _ unit: String, _ property: String, toBe value: String, within timeout: Duration = .seconds(30)
    ) async throws {
        do {
            try await eventually(within: timeout, "\(unit) has \(property)=\(value)", every: .milliseconds(100)) {
                try await self.property(property, of: unit) == value
            }
        } catch {
            throw Explained(error: error, detail: try await outcome(["systemctl", "status", unit]).text)
        }
    }

    /// The journal entries that match, for example `_SYSTEMD_UNIT=x.service`, oldest first.
    func journal(_ matches: String...) async throws -> [JSONValue] {
        try await outcome(["journalctl", "--output=json", "--all", "--quiet"] + matches).output.map(
            JSONValue.init(parsing:))
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, with the reason, unless there is a machine that systemd has booted.
    static var systemdMachine: Self {
        .enabled(
            if: SystemdMachine.current != nil,
            "needs a systemd that was booted with the directory TEST_SYSTEMD_ROOT as its /")
    }

    /// Skips the test, with the reason, when the systemd machine has no Python with Prefect.
    static var systemdPython: Self {
        .enabled(
            if: SystemdMachine.current == nil || SystemdMachine.python != nil,
            "needs a Python with Prefect on the machine that systemd was booted on, whose path there is TEST_SYSTEMD_PYTHON"
        )
    }
}
