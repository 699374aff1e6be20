import Foundation
import Testing

@Suite("The floors of the sources")
struct FloorTests {
    private static let sources = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Sources").standardizedFileURL

    /// A target and its directories, the lowest first.
    struct Floors: Sendable, CustomTestStringConvertible {
        let target: String
        let directories: [String]

        var testDescription: String { target }
    }

    private static let floors = [
        Floors(
            target: "WorkerKit",
            directories: [
                "Output", "Stages", "Ledger", "Services", "Metrics", "Rendering", "Reporting", "Pool",
                "Runs", "Polling", "Serving", "Daemon", "Checks", "Assembly",
            ]),
        Floors(
            target: "BackendKit",
            directories: ["Output", "Contract", "FlowProcess", "Ownership", "Watching", "Remote"]),
        Floors(
            target: "Transport/HTTPTransport",
            directories: ["Errors", "URLs", "Configuration", "Message", "Transfer", "Curl", "Loop", "Client"]),
        Floors(target: "Transport/PrefectWebSocket", directories: ["Messages", "Protocol", "Connection", "Client"]),
    ]

    /// The floors of the targets, the lowest first. The worker knows no backend, and no backend knows the worker.
    private static let targetFloors = [
        ["C"], ["Base"], ["Transport"], ["Prefect"], ["BackendKit"], ["BackendKitTesting"], ["Cloud"],
        ["WorkerKit", "Backends"], ["prefect-worker"],
    ]

    /// The directories that are one target.
    private static let wholeTargets = ["BackendKit", "BackendKitTesting", "WorkerKit", "prefect-worker"]

    /// A source file without comments and texts.
    private struct Source {
        let path: [String]
        let code: String

        init(_ file: URL, below directory: URL) throws {
            path = Array(file.pathComponents.dropFirst(directory.pathComponents.count))
            code = try String(contentsOf: file, encoding: .utf8)
                .replacing(#/(?s)"""(.*?)"""/#, with: "")
                .replacing(#/"(\\.|[^"\\\n])*"/#, with: "")
                .replacing(#/(?m)//.*$/#, with: "")
        }

        /// The types that other files can refer to.
        var types: [String] {
            let declaration =
                #/
                (?m) ^ (?: (?:public|package|internal|final|indirect) \x20 )*
                (?:struct|class|enum|protocol|actor|typealias) \x20 (\w+)
                /#
            return code.matches(of: declaration).map { String($0.1) }
        }

        var words: Set<String> { Set(code.matches(of: #/\b[A-Z]\w+\b/#).map { String($0.0) }) }

        var imports: [String] {
            code.matches(of: #/(?m)^(?:@\w+ )?(?:(?:public|package|internal|private) )?import (\w+)/#)
                .map { String($0.1) }
        }
    }

    private static func files(below directory: URL) throws -> [Source] {
        let found = FileManager.default.enumerator(at: directory, includingPropertiesForKeys: nil)
        return try (found?.allObjects as? [URL] ?? []).filter { $0.pathExtension == "swift" }
            .map { try Source($0.standardizedFileURL, below: directory) }
    }

    @Test("a directory of a target refers to none above it", arguments: floors)
    func directories(of floorsOfTarget: Floors) throws {
        let directories = floorsOfTarget.directories
        let files = try Self.files(below: Self.sources.appending(path: floorsOfTarget.target).standardizedFileURL)
        #expect(Set(files.map { $0.path[0] }) == Set(directories))
        var floors: [String: Int] = [:]
        for file in files {
            let floor = try #require(directories.firstIndex(of: file.path[0]))
            for type in file.types { floors[type] = floor }
        }
        for file in files {
            let floor = try #require(directories.firstIndex(of: file.path[0]))
            let upward = file.words.filter { floors[$0, default: 0] > floor }
            #expect(upward.isEmpty, "\(file.path.joined(separator: "/")) refers to \(upward.sorted())")
        }
    }

    @Test("a target imports none of a floor above it, and no backend imports another")
    func targets() throws {
        var floors: [String: Int] = [:]
        for (floor, names) in Self.targetFloors.enumerated() {
            for name in names {
                guard !Self.wholeTargets.contains(name) else {
                    floors[name] = floor
                    continue
                }
                let directory = Self.sources.appending(path: name)
                for target in try FileManager.default.contentsOfDirectory(atPath: directory.path) {
                    floors[target] = floor
                }
            }
        }
        #expect(floors.count > 20)
        for file in try Self.files(below: Self.sources) {
            let target = floors[file.path[0]] == nil ? file.path[1] : file.path[0]
            let floor = try #require(floors[target], "\(file.path) is on no floor")
            for other in file.imports where other != target {
                guard let imported = floors[other] else { continue }
                let isAllowed = imported < floor || imported == floor && !Self.targetFloors[floor].contains("Backends")
                #expect(isAllowed, "\(file.path.joined(separator: "/")) imports \(other)")
            }
        }
    }
}
