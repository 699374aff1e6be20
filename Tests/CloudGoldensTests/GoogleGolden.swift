import BackendKit
import BackendKitTesting
import Foundation
import JobTemplates
import OrderedCollections
import PrefectJSON
import Testing

/// Checks the golden cases of the types on Google Cloud.
struct GoogleGolden {
    let golden: CloudGolden
    let backend: any Backend.Type

    func check() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "golden-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        var environment = try golden.environment(in: directory)
        // No metadata server answers.
        environment["GCE_METADATA_HOST"] = "127.0.0.1:1"
        let described: JSONValue
        do {
            let host = BackendHost(
                environment: environment, allowsHostCredentials: true, stateDirectory: directory.path)
            let workload = try backend.init(host: host).workload(
                rendered: try await golden.rendered(environment: environment),
                for: golden.run(reporter: SilentReporter()),
                preparing: golden.context(environment: environment))
            described = workload.description
            if golden.error != nil, described["credentials"]?["project"]?.stringValue == nil {
                // Without a file of credentials, only the metadata server can say that there are none.
                let error = await #expect(throws: InfrastructureError.self, "\(golden.label) should be refused") {
                    _ = try await workload.start()
                }
                #expect(error?.kind == .refused)
                return
            }
        } catch {
            // Unlike the Python worker, ours refuses fields that Vertex AI does not know.
            let isUnknownField = "\(error)".contains("Vertex AI has no field")
            #expect(golden.error != nil || isUnknownField, "\(golden.label) is refused: \(error)")
            return
        }
        if let error = golden.error {
            Issue.record("\(golden.label) should be refused: \(error)")
            return
        }
        let expected = try #require(golden.expected)
        for (key, value) in expected.objectValue ?? [:] where key != "credentials" {
            let found = Self.plain([key: described[key] ?? .null])
            #expect(found == renamed(Self.plain([key: value]), in: described), "\(golden.label): \(key) differs")
        }
        #expect(described["credentials"]?["project"] == expected["credentials"]?["project"])
        try checkRequests(described)
    }

    private func checkRequests(_ described: JSONValue) throws {
        let sent = described["requests"]?.arrayValue ?? []
        #expect(sent.count == golden.calls.count, "\(golden.label): number of requests")
        for (found, call) in zip(sent, golden.calls) {
            #expect(found["method"] == call["method"], "\(golden.label): method")
            #expect(
                .string(Self.target(found["url"])) == renamed(.string(Self.target(call["url"])), in: described),
                "\(golden.label): address")
            var body = found["body"] ?? .null
            // The Python worker loses all options for scheduling without a strategy.
            if var spec = body["jobSpec"], let scheduling = call["body"]?["jobSpec"]?["scheduling"],
                scheduling["strategy"] == nil
            {
                spec["scheduling"] = ["timeout": spec["scheduling"]?["timeout"] ?? .null]
                body["jobSpec"] = spec
            }
            #expect(
                Self.plain(body) == renamed(Self.plain(call["body"] ?? .null), in: described),
                "\(golden.label): body of \(call["method"] ?? .null)")
        }
    }

    /// A value of the Python worker with our name of the job, where Google refuses the Python worker's.
    private func renamed(_ value: JSONValue, in described: JSONValue) -> JSONValue {
        if value["displayName"]?.stringValue.map({ $0.count > 128 }) == true {
            var shorter = value
            shorter["displayName"] = described["requests"]?[0]?["body"]?["displayName"]
            return shorter
        }
        guard let name = golden.identifier, name.first?.isLetter != true || name.hasPrefix("None-"),
            !name.contains("{"), let url = described["requests"]?[1]?["url"]?.stringValue,
            let own = url.split(separator: "/").last
        else { return value }
        return Self.mapTexts(value) { $0.replacingOccurrences(of: name, with: own) }
    }

    private static func mapTexts(_ value: JSONValue, _ change: (String) -> String) -> JSONValue {
        switch value {
        case .string(let text): .string(change(text))
        case .array(let elements): .array(elements.map { mapTexts($0, change) })
        case .object(let members): .object(members.mapValues { mapTexts($0, change) })
        default: value
        }
    }

    /// An address without the parameter by which Python asks for JSON.
    private static func target(_ url: JSONValue?) -> String {
        (url?.stringValue ?? "").replacingOccurrences(of: "?alt=json", with: "")
            .replacingOccurrences(of: "&alt=json", with: "")
    }

    /// A value without what means nothing: the order of keys and of variables, null, false and empty members, and the
    /// form of whole numbers.
    static func plain(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members):
            var kept = members.mapValues { plain($0) }.filter {
                !$0.value.isNull && $0.value != false && $0.value != [] && $0.value != [:]
            }
            // The settings of the worker's process, which the harness takes from its environment alone.
            kept["PREFECT_SERVER_EPHEMERAL_ENABLED"] = nil
            kept.sort { $0.key < $1.key }
            return .object(kept)
        case .array(let elements):
            let plain = elements.map { Self.plain($0) }
                .filter { $0["name"]?.stringValue != "PREFECT_SERVER_EPHEMERAL_ENABLED" }
            guard plain.allSatisfy({ $0["name"]?.stringValue != nil }) else { return .array(plain) }
            return .array(plain.sorted { ($0["name"]?.stringValue ?? "") < ($1["name"]?.stringValue ?? "") })
        case .int(let number): return .string(String(number))
        case .double(let number): return .string(Int(exactly: number).map { String($0) } ?? String(number))
        default: return value
        }
    }
}
