import PrefectJSON
import Testing

/// The objects that Prefect's Helm chart `prefect-worker` makes of some values. `origin` in the file names its source.
struct ChartManifests: Sendable, CustomTestStringConvertible {
    /// The choice that the values make.
    let testDescription: String
    /// The objects that the chart creates.
    let objects: [JSONValue]

    /// All cases.
    static func all() throws -> [ChartManifests] {
        try Resource.json("prefect_helm")["cases"]?.arrayValue?.map {
            ChartManifests(
                testDescription: $0["name"]?.stringValue ?? "", objects: $0["objects"]?.arrayValue ?? [])
        } ?? []
    }

    /// The specification of the worker's pod.
    var pod: JSONValue {
        objects.first { $0["kind"] == "Deployment" }?["spec"]?["template"]?["spec"] ?? [:]
    }

    /// The container of the worker.
    var container: JSONValue { pod["containers"]?[0] ?? [:] }

    /// The command line of the worker from the word after `prefect`.
    var arguments: [String] {
        let words = ((container["command"]?.arrayValue ?? []) + (container["args"]?.arrayValue ?? []))
            .compactMap(\.stringValue)
        return words.split(separator: "prefect", maxSplits: 1).last.map(Array.init) ?? []
    }

    /// The environment variables of the worker. A value from a secret is `from-a-secret`.
    var variables: [String: String] {
        Dictionary(
            (container["env"]?.arrayValue ?? []).compactMap { variable in
                variable["name"]?.stringValue.map { ($0, variable["value"]?.stringValue ?? "from-a-secret") }
            }, uniquingKeysWith: { $1 })
    }
}
