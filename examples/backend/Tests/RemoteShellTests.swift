import BackendKit
import BackendKitTesting
import Foundation
import RemoteShellBackend
import Testing

/// The backend with this machine as the other one.
private struct LocalShell: ConformanceSubject {
    let backend: any Backend.Type = RemoteShellBackend.self
    let host: BackendHost
    let jobVariables: JSONValue

    init(_ directory: String) {
        host = BackendHost(environment: ProcessInfo.processInfo.environment, stateDirectory: "\(directory)/state")
        jobVariables = ["shell": "sh", "directory": .string("\(directory)/runs")]
    }

    var expectations: ConformanceExpectations {
        ConformanceExpectations(refusedJobVariables: [["shell": ""], ["shell": 7]])
    }
}

@Suite("A backend of somebody else's")
struct RemoteShellTests {
    @Test("the remote shell backend conforms", arguments: ConformanceCase.allCases)
    func conforms(_ conformance: ConformanceCase) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "remote-shell-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await conformance.check(LocalShell(directory))
    }
}
