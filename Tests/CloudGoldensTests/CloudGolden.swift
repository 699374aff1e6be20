import BackendKit
import BackendKitTesting
import Foundation
import JobTemplates
import OrderedCollections
import PrefectClient
import PrefectJSON
import Testing

/// Golden inputs and outputs: the preparation and the requests of the Python workers for the clouds.
///
/// The file is the one that the environment variable `CLOUD_GOLDENS` names, or else the copy beside the tests. A file
/// may hold other cases than the copy, so each test takes all cases of its type and requires no particular one.
@Suite("CloudGoldens")
struct CloudGoldens {}

/// One golden case.
struct CloudGolden: Sendable, CustomTestStringConvertible {
    let label: String
    let input: JSONValue
    /// The configuration that the Python worker prepared, with secrets; nil where it refused the configuration.
    let expected: JSONValue?
    /// The requests of the Python worker, in order.
    let calls: [JSONValue]
    /// `infrastructure_pid`; nil where the service chooses it.
    let identifier: String?
    /// The type of the Python worker's error, if there was one.
    let error: String?
    /// The step that failed: `configure`, `prepare` or `submit`.
    let stage: String?
    /// The 32 hexadecimal digits that the Python worker drew for names.
    let drawnHex: String?

    var testDescription: String { label }

    /// The cases of a type of work pool.
    static func all(ofType type: String) throws -> [CloudGolden] {
        let path = ProcessInfo.processInfo.environment["CLOUD_GOLDENS"]
        let beside = Bundle.module.url(forResource: "Vectors/cloud_golden", withExtension: "json")
        let url = try #require(path.map { URL(filePath: $0) } ?? beside)
        return try #require(try JSONValue(parsing: [UInt8](Data(contentsOf: url))).arrayValue)
            .filter { $0["type"]?.stringValue == type }
            .map { json in
                CloudGolden(
                    label: try #require(json["label"]?.stringValue), input: try #require(json["input"]),
                    expected: json["expected"].flatMap { $0.isNull ? nil : $0 },
                    calls: json["calls"]?.arrayValue ?? [], identifier: json["identifier"]?.stringValue,
                    error: json["error"]?.stringValue, stage: json["stage"]?.stringValue,
                    drawnHex: json["derived"]?["uuid4_hex"]?.stringValue)
            }
    }

    /// The claim's id with which our names equal those of the Python worker.
    var claimID: String {
        guard let hex = drawnHex, hex.count == 32 else { return "00000000-0000-4000-8000-0000000000ff" }
        let digits = Array(hex)
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }

    /// Writes the files of the case to a directory, and returns the worker's environment, which names them.
    func environment(in directory: URL) throws -> [String: String] {
        func located(_ text: String) -> String { text.replacingOccurrences(of: "@DIR@", with: directory.path) }
        for (name, content) in input["files"]?.objectValue ?? [:] {
            let text = content.stringValue ?? content.serialized()
            try Data(located(text).utf8).write(to: URL(filePath: located(name)))
        }
        return Dictionary(
            (input["process_env"]?.objectValue ?? [:]).compactMap { entry in
                entry.value.stringValue.map { (entry.key, located($0)) }
            }, uniquingKeysWith: { $1 })
    }

    /// The job configuration that the pool's template yields for the run.
    func rendered(environment: [String: String]) async throws -> JSONValue {
        let variables = try JobVariables(
            deployment: input["deployment"]?["job_variables"], flowRun: input["flow_run"]?["job_variables"])
        let template = try BaseJobTemplate(json: #require(input["work_pool"]?["base_job_template"]))
        return try await JobRenderer(
            template: template, environment: environment,
            references: Blocks(documents: input["block_documents"]?.arrayValue ?? [])
        ).render(jobVariables: variables.json)
    }

    /// The run for which the configuration is prepared.
    func run(reporter: any JobReporter) throws -> RunContext {
        RunContext(
            flowRunID: try #require(input["flow_run"]?["id"]?.stringValue),
            flowRunName: try #require(input["flow_run"]?["name"]?.stringValue), claimID: claimID,
            deploymentID: input["deployment"]?["id"]?.stringValue, reporter: reporter)
    }

    /// The data from which the configuration is prepared, with the settings that the case's environment sets.
    func context(environment: [String: String]) throws -> PreparationContext {
        let pool = try #require(input["work_pool"])
        return PreparationContext(
            flowRun: try #require(input["flow_run"]), flow: input["flow"],
            deployment: input["deployment"].flatMap { $0.isNull ? nil : $0 },
            workPool: .init(
                id: try #require(pool["id"]?.stringValue), name: try #require(pool["name"]?.stringValue)),
            workerName: input["worker_name"]?.stringValue, workerID: input["worker_id"]?.stringValue,
            settingsEnvironment: environment.filter { $0.key.hasPrefix("PREFECT_") }.sorted { $0.key < $1.key }
                .map { (name: $0.key, value: $0.value) },
            environment: environment)
    }
}

/// The block documents of a case.
private struct Blocks: TemplateReferences {
    let documents: [JSONValue]

    private func data(where matches: (JSONValue) -> Bool) throws -> JSONValue {
        guard let data = documents.first(where: matches)?["data"] else { throw ReferenceNotFound() }
        return data
    }

    func blockDocument(id: String) throws -> JSONValue { try data { $0["id"]?.stringValue == id } }

    func blockDocument(typeSlug: String, name: String) throws -> JSONValue {
        try data { $0["block_type"]?["slug"]?.stringValue == typeSlug && $0["name"]?.stringValue == name }
    }

    func variable(named name: String) -> JSONValue? { nil }
}
