import BackendKit
import Foundation
import PrefectJSON
import Testing

@testable import DockerBackend

/// The resource files of the tests.
enum Resource {
    static func json(_ name: String) throws -> JSONValue {
        let url = try #require(Bundle.module.url(forResource: "Resources/\(name)", withExtension: "json"))
        return try JSONValue(parsing: [UInt8](Data(contentsOf: url)))
    }
}

/// The facts of a container with this status, as an inspection gives them.
func facts(_ id: String, _ status: String, code: Int = 0, oom: Bool = false) throws -> ContainerFacts {
    try ContainerFacts([
        "Id": .string(id), "Name": .string("/name-of-\(id)"),
        "State": ["Status": .string(status), "ExitCode": .int(code), "OOMKilled": .bool(oom)],
        "Config": ["Tty": false], "HostConfig": ["Memory": 0],
    ])
}
