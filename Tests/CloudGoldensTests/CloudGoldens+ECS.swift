import BackendKit
import BackendKitTesting
import Foundation
import JobTemplates
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@testable import ECSBackend

/// A setting of the profile that Prefect's own process has in use.
private let pythonsOwn = "PREFECT_SERVER_EPHEMERAL_ENABLED"

extension CloudGoldens {
    @Test("the configuration, the requests and the identifier of ecs", arguments: try CloudGolden.all(ofType: "ecs"))
    func ecs(golden: CloudGolden) async throws {
        let account = GoldenAccount(golden.input["cloud"] ?? [:])
        let server = try FakeAWS { account.answer($0) }
        let directory = FileManager.default.temporaryDirectory.appending(path: "ecs-golden-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        var environment = try golden.environment(in: directory)
        environment["NO_PROXY"] = "*"
        // Every description counts only once, so that each run of a case asks again.
        let service = try ECSService(
            host: BackendHost(environment: environment, allowsHostCredentials: true), endpoint: server.url,
            freshness: .zero)
        let fails = golden.error != nil && !golden.concernsMissingKey
        do {
            let configuration = try golden.environment(in: directory)
            let specification = try service.specification(
                rendered: await golden.rendered(environment: configuration),
                for: golden.run(reporter: RecordingReporter()), preparing: golden.context(environment: configuration))
            if let expected = golden.expected { compare(specification.description, with: expected) }
            let client = try service.client(at: specification.place)
            let runs = max(1, golden.calls.count { $0["operation"] == "RunTask" })
            for run in 0..<runs {
                let claim = "00000000-0000-4000-8000-00000000000\(run)"
                let key = RemoteTaskKey(flowRunID: claim, claimID: claim, owner: "owner")
                let task = try await client.create(specification, for: key)
                #expect(!fails, "the Python worker fails with \(golden.error ?? "")")
                if let identifier = golden.identifier {
                    #expect(client.identifier(of: task).rawValue == identifier)
                }
            }
        } catch let error where fails {
            let message = "\(error)"
            #expect(!message.isEmpty && !message.contains("\n"))
        }
        let calls = server.calls.filter { $0.service != "sts" }.map(\.golden)
        if fails {
            // A refusal may come earlier than the Python worker's, never later.
            let comparable =
                golden.calls.contains(where: \.describesFamily) ? calls : calls.filter { !$0.describesFamily }
            #expect(comparable.count <= golden.calls.count)
        } else if golden.error == nil {
            compare(calls: calls, with: golden.calls)
        }
    }

    private func compare(_ description: JSONValue, with expected: JSONValue) {
        for (key, value) in expected.objectValue ?? [:] {
            let ours = description[key] ?? .null
            if key == "aws_credentials" {
                #expect(ours.withoutDefaults.isEquivalent(to: value.withoutDefaults), "\(key)")
            } else {
                var value = value
                if key == "env" { value[pythonsOwn] = nil }
                let isEqual = ours.isEquivalent(to: value)
                #expect(isEqual, "\(key): \(ours.serialized()) is not \(value.serialized())")
            }
        }
    }

    /// Compares requests in their order. Ours also asks for the newest definition of a family before it registers one,
    /// and does not register one that is there.
    private func compare(calls: [JSONValue], with golden: [JSONValue]) {
        var rest = calls[...]
        var reuses = false
        for expected in golden {
            let isDescription = expected["operation"] == "DescribeTaskDefinition"
            if !isDescription, let next = rest.first, next.describesFamily { rest.removeFirst() }
            if expected["operation"] == "RegisterTaskDefinition", rest.first?["operation"] != "RegisterTaskDefinition" {
                reuses = true
                continue
            }
            guard let next = rest.popFirst() else {
                Issue.record("the request \(expected.serialized()) is missing")
                return
            }
            var (left, right) = (next.comparable, expected.comparable)
            if reuses, expected["operation"] == "RunTask" {
                left["taskDefinition"] = nil
                right["taskDefinition"] = nil
            }
            #expect(next["service"] == expected["service"] && next["operation"] == expected["operation"])
            let isEqual = left.isEquivalent(to: right)
            #expect(isEqual, "\(left.serialized()) is not \(right.serialized())")
        }
        #expect(rest.isEmpty, "more requests than the Python worker's: \(rest)")
    }

    @Test("the default template of ecs has the structure of the Python worker's")
    func ecsTemplate() throws {
        let url = try #require(Bundle.module.url(forResource: "Vectors/ecs_template", withExtension: "json"))
        let golden = try JSONValue(parsing: [UInt8](Data(contentsOf: url)))
        let ours = ECSBackend.traits.baseJobTemplate
        #expect(
            JSONValue.object(ours.jobConfiguration).isEquivalent(to: golden["job_configuration"] ?? .null))
        let (left, right) = (ours.variables.withoutProse, (golden["variables"] ?? .null).withoutProse)
        for key in ["properties", "definitions", "type"] {
            for (name, value) in right[key]?.objectValue ?? [key: right[key] ?? .null] {
                let ours = left[key]?.objectValue == nil ? left[key] : left[key]?[name]
                let isEqual = ours?.isEquivalent(to: value) ?? false
                #expect(isEqual, "\(name): \(ours?.serialized() ?? "absent") is not \(value.serialized())")
            }
        }
        #expect(left["properties"]?.objectValue?.count == right["properties"]?.objectValue?.count)
    }
}

extension CloudGolden {
    /// Whether the Python worker fails because it has no key to leave out. Ours leaves none out.
    fileprivate var concernsMissingKey: Bool { error == "KeyError" && stage == "prepare" }
}

extension JSONValue {
    fileprivate var describesFamily: Bool {
        self["operation"] == "DescribeTaskDefinition"
            && self["parameters"]?["taskDefinition"]?.stringValue?.contains(":") == false
    }

    /// The parameters without our marks, and with families in the characters of AWS.
    fileprivate var comparable: JSONValue {
        var parameters = self["parameters"] ?? [:]
        parameters["overrides"] = parameters["overrides"].map(\.withSortedEnvironments)
        parameters["clientToken"] = nil
        parameters["startedBy"] = nil
        if let tags = parameters["tags"]?.arrayValue {
            let others = tags.filter { $0["key"] != "prefect-worker.owner" }
            parameters["tags"] = others.isEmpty ? nil : .array(others)
        }
        for key in ["family", "taskDefinition"] {
            guard let name = parameters[key]?.stringValue else { continue }
            guard let slash = name.firstRange(of: "task-definition/") else {
                parameters[key] = .string(Slug.make(name, lowercased: false, allowing: "_:"))
                continue
            }
            let family = Slug.make(String(name[slash.upperBound...]), lowercased: false, allowing: "_:")
            parameters[key] = .string(name[..<slash.upperBound] + family)
        }
        return parameters
    }

    /// Overrides whose variables are in the order of their names, without the one that only a Python process sets.
    fileprivate var withSortedEnvironments: JSONValue {
        var overrides = self
        guard let containers = self["containerOverrides"]?.arrayValue else { return self }
        overrides["containerOverrides"] = .array(
            containers.map { container in
                var container = container
                let variables = container["environment"]?.arrayValue?.filter { $0["name"] != .string(pythonsOwn) }
                container["environment"] = variables.map { variables in
                    .array(variables.sorted { $0["name"]?.stringValue ?? "" < $1["name"]?.stringValue ?? "" })
                }
                return container
            })
        return overrides
    }

    /// A block without null members, and without members that are the defaults of its type.
    fileprivate var withoutDefaults: JSONValue {
        guard case .object(let members) = self else { return self }
        var rest: JSONValue = [:]
        for (key, value) in members where !value.isNull && !(key == "use_ssl" && value == true) {
            let value = value.withoutDefaults
            if value != [:] { rest[key] = value }
        }
        return rest
    }

    /// A schema without its texts for people.
    fileprivate var withoutProse: JSONValue {
        switch self {
        case .object(let members):
            var rest: JSONValue = [:]
            for (key, value) in members where !["title", "description"].contains(key) || value.stringValue == nil {
                rest[key] = value.withoutProse
            }
            return rest
        case .array(let elements): return .array(elements.map(\.withoutProse))
        default: return self
        }
    }
}
