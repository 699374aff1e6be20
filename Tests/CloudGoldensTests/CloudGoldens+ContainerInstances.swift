import AzureAccess
import BackendKit
import BackendKitTesting
import Foundation
import JobTemplates
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@testable import ContainerInstancesBackend

extension CloudGoldens {
    @Test(
        "azure-container-instance: configuration, requests and identifier match the Python worker's",
        arguments: try CloudGolden.all(ofType: "azure-container-instance"))
    func containerInstances(_ golden: CloudGolden) async throws {
        let directory = URL(filePath: "/tmp/goldens-\(UUID().uuidString.lowercased())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let environment = try golden.environment(in: directory)
        let service = try ContainerInstancesService(host: BackendHost(environment: environment))
        let specification: ContainerInstancesSpecification
        do {
            specification = try service.specification(
                rendered: try await golden.rendered(environment: environment),
                for: try golden.run(reporter: SilentReporter()),
                preparing: try golden.context(environment: environment))
        } catch {
            // A later stage of the Python worker may refuse what ours refuses before any request.
            #expect(golden.error != nil, "\(error)")
            #expect(golden.calls.isEmpty)
            #expect(!"\(error)".contains("\n"))
            return
        }
        #expect(golden.error == nil)
        let expected = try #require(golden.expected)
        let fields = try #require(specification.prepared).fields
        #expect(
            Self.comparable(fields).isEquivalent(to: Self.comparable(expected)),
            "\(Self.comparable(fields).serialized(.pretty))")
        let requests = try specification.requests(keepsOthers: true).map { request in
            try JSONValue(parsing: Self.renamed(request.serialized(), like: golden))
        }
        let calls = golden.calls.map(Self.comparable)
        #expect(requests.map(Self.comparable).count == calls.count)
        for (request, call) in zip(requests.map(Self.comparable), calls) {
            #expect(request.isEquivalent(to: call), "\(request.serialized()) is not \(call.serialized())")
        }
        let group = try #require(specification.group)
        let task = GroupTask(flowRunID: specification.flowRunID, group: group, claimID: golden.claimID)
        let identifier = task.identifier(in: specification.place.group).rawValue
        #expect(Self.renamed(identifier, like: golden) == golden.identifier)
    }

    /// A text with the Python worker's name of the group, where a flow's name has no usable character. Azure refuses
    /// that name, because it begins with a hyphen, so ours begins with `flow`.
    private static func renamed(_ text: String, like golden: CloudGolden) -> String {
        guard let parts = golden.identifier?.split(separator: ":"), parts.count == 2, parts[1].hasPrefix("-") else {
            return text
        }
        return text.replacing("flow-\(parts[0])", with: "-\(parts[0])")
    }

    /// A value in the form in which both are compared.
    ///
    /// Our requests have more than the Python worker's, on purpose: the job's labels as tags, and its GPUs. So both are
    /// left out here; tests of the backend cover them. Nulls, the defaults of blocks, the order of variables and the
    /// form of numbers mean nothing to Azure. The recordings have one setting that the cases do not state.
    private static func comparable(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members):
            var compared: OrderedDictionary<String, JSONValue> = [:]
            for (key, member) in members {
                let isDropped =
                    ["tags", "gpu", "PREFECT_SERVER_EPHEMERAL_ENABLED"].contains(key)
                    || key == "reauth" && member == true
                    || ["aci_credentials", "credential_kwargs"].contains(key) && isEmptyBlock(member)
                if !isDropped, !member.isNull { compared[key] = comparable(member) }
            }
            return .object(compared)
        case .array(let elements):
            let compared = elements.map(comparable).filter { $0["name"] != "PREFECT_SERVER_EPHEMERAL_ENABLED" }
            guard compared.allSatisfy({ $0["value"] != nil || $0["secureValue"] != nil }) else {
                return .array(compared)
            }
            return .array(
                compared.sorted { ($0["name"]?.stringValue ?? "") < ($1["name"]?.stringValue ?? "") })
        case .int, .bigInteger: return value.doubleValue.map(JSONValue.double) ?? value
        case .string(let text):
            // The queries of addresses have no order.
            guard text.hasPrefix("https://"), let mark = text.firstIndex(of: "?") else { return value }
            let query = text[mark...].dropFirst().split(separator: "&").sorted().joined(separator: "&")
            return .string("\(text[..<mark])?\(query)")
        default: return value
        }
    }

    private static func isEmptyBlock(_ value: JSONValue) -> Bool {
        (value.objectValue ?? [:]).values.allSatisfy { $0.isNull || $0.objectValue?.isEmpty == true }
    }
}
