import BackendKit
import Foundation
import JSON
import Synchronization
import Testing

@testable import DockerBackend

/// The resource files of the tests.
enum Resource {
    static func json(_ name: String) throws -> JSONValue {
        let url = try #require(Bundle.module.url(forResource: "Resources/\(name)", withExtension: "json"))
        return try JSONValue(parsing: [UInt8](Data(contentsOf: url)))
    }
}

/// A sink that records all bytes.
final class RecordingSink: OutputSink {
    private let bytes = Mutex<[UInt8]>([])

    func write(_ new: ArraySlice<UInt8>, of source: OutputSource, waitingUpTo limit: Duration) -> Int? {
        bytes.withLock { $0 += new }
        return new.count
    }

    var text: String { String(decoding: bytes.withLock { $0 }, as: UTF8.self) }
}

/// A reporter that records all messages and events.
final class RecordingReporter: JobReporter {
    private let state = Mutex((lines: [String](), events: [String]()))

    func log(_ level: RunLogLevel, _ message: String) { state.withLock { $0.lines.append(message) } }
    func emit(event: String, resource: JSONValue, payload: JSONValue) { state.withLock { $0.events.append(event) } }
    var lines: [String] { state.withLock { $0.lines } }
    var events: [String] { state.withLock { $0.events } }
}

/// The facts of a container with this status, as an inspection gives them.
func facts(_ id: String, _ status: String, code: Int = 0, oom: Bool = false) throws -> ContainerFacts {
    try ContainerFacts([
        "Id": .string(id), "Name": .string("/name-of-\(id)"),
        "State": ["Status": .string(status), "ExitCode": .int(code), "OOMKilled": .bool(oom)],
        "Config": ["Tty": false], "HostConfig": ["Memory": 0],
    ])
}
