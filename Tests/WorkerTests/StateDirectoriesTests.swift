import Foundation
import PrefectClient
import TestSupport
import Testing

@testable import WorkerKit

@Suite("The choice of the state directory")
struct StateDirectoriesTests {
    private let directory: TemporaryDirectory
    private let plan = ServingPlan(pools: [ServingPlan.Pool(name: "p")], title: "p")

    init() throws { directory = try TemporaryDirectory() }

    private func take(_ argument: String? = nil, home: String? = nil, named: String? = "/proc/nowhere") throws
        -> StateDirectories.Taken
    {
        let environment = environment(home: home, named: named)
        let settings = try PrefectSettings.load(environment: environment, workingDirectory: directory.path)
        return try StateDirectories.take(argument, plan: plan, settings: settings, environment: environment)
    }

    private func environment(home: String?, named: String?) -> [String: String] {
        var environment = [
            "PREFECT_HOME": home ?? "\(directory.path)/home", "TMPDIR": directory.path, "HOME": directory.path,
        ]
        environment["STATE_DIRECTORY"] = named
        return environment
    }

    @Test("a directory of the environment that cannot be written is replaced by one below PREFECT_HOME, with a note")
    func home() throws {
        let taken = try take()
        #expect(taken.directory?.path == "\(directory.path)/home/prefect-worker/p")
        #expect(taken.problem == nil)
        let note = try #require(taken.note)
        #expect(note.contains("/proc/nowhere") && note.contains("\(directory.path)/home/prefect-worker/p"))
        let found = StateDirectories.existing(
            nil,
            settings: try PrefectSettings.load(
                environment: environment(home: nil, named: nil), workingDirectory: directory.path),
            environment: environment(home: nil, named: "/proc/nowhere"))
        #expect(found == ["\(directory.path)/home/prefect-worker/p"])
    }

    @Test("without a usable PREFECT_HOME, the directory is below TMPDIR and belongs to this user alone")
    func scratch() throws {
        for named in ["/proc/nowhere", nil] {
            let taken = try take(home: "/proc/none", named: named)
            let scratch = StateDirectories.scratch(environment(home: nil, named: nil))
            #expect(taken.directory?.path == "\(scratch)/p" && taken.note?.contains(scratch) == true)
            let mode = try FileManager.default.attributesOfItem(atPath: scratch)[.posixPermissions] as? NSNumber
            #expect(mode?.intValue == 0o700)
        }
    }

    @Test("a scratch directory that others can enter, or that is a link, is not used")
    func unsafeScratch() throws {
        let scratch = StateDirectories.scratch(environment(home: nil, named: nil))
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: scratch)
        let open = try take(home: "/proc/none")
        #expect(open.directory == nil && open.problem?.contains("/proc/nowhere") == true)
        try FileManager.default.removeItem(atPath: scratch)
        try FileManager.default.createDirectory(atPath: "\(directory.path)/other", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: scratch, withDestinationPath: "\(directory.path)/other")
        #expect(try take(home: "/proc/none").directory == nil)
    }

    @Test("a directory of an argument is not replaced")
    func argument() throws {
        let taken = try take("/proc/elsewhere", named: nil)
        #expect(taken.directory == nil && taken.note == nil)
        #expect(taken.problem?.contains("/proc/elsewhere") == true)
    }

    @Test("a usable directory of the environment is used without a note")
    func named() throws {
        let taken = try take(named: "\(directory.path)/state")
        #expect(taken.directory?.path == "\(directory.path)/state" && taken.note == nil && taken.problem == nil)
    }
}
