internal import BackendKit
internal import OrderedCollections
internal import PrefectJSON

/// Checks whether a manifest describes a job that can run a flow. It must have everything that the base manifest has,
/// and may have more.
enum ManifestCheck {
    /// The values that every job manifest must have. Each value of a mapping or of a list is required by itself.
    private static let base: JSONValue = [
        "apiVersion": "batch/v1", "kind": "Job", "metadata": ["annotations": [:], "labels": [:]],
        "spec": [
            "template": [
                "spec": [
                    "parallelism": 1, "completions": 1, "restartPolicy": "Never",
                    "containers": [["name": "prefect-job"]],
                ]
            ]
        ],
    ]

    /// Throws ``InfrastructureError`` of the kind `refused`, which names all invalid paths.
    static func validate(_ manifest: JSONValue) throws(InfrastructureError) {
        var missing: [String] = []
        var wrong: [String] = []
        compare(manifest, base, at: "", &missing, &wrong)
        if !missing.isEmpty {
            throw InfrastructureError(
                .refused,
                "Job is missing required attributes at the following paths: \(missing.sorted().joined(separator: ", "))"
                    + "; add them to 'job_manifest' in the work pool's base job template")
        }
        if !wrong.isEmpty {
            throw InfrastructureError(
                .refused,
                "Job has incompatible values for the following attributes: \(wrong.sorted().joined(separator: ", "))"
                    + "; correct 'job_manifest' in the work pool's base job template")
        }
    }

    private static func compare(
        _ value: JSONValue, _ base: JSONValue, at path: String, _ missing: inout [String], _ wrong: inout [String]
    ) {
        switch (value, base) {
        case (.object(let members), .object(let required)):
            for (key, member) in required {
                if let own = members[key] {
                    compare(own, member, at: "\(path)/\(key)", &missing, &wrong)
                } else {
                    missing.append("\(path)/\(key)")
                }
            }
        case (.array(let elements), .array(let required)):
            for (index, element) in required.enumerated() {
                if index < elements.count {
                    compare(elements[index], element, at: "\(path)/\(index)", &missing, &wrong)
                } else {
                    missing.append("\(path)/\(index)")
                }
            }
        default:
            if value != base { wrong.append("\(path) must have value \(shown(base))") }
        }
    }

    private static func shown(_ value: JSONValue) -> String {
        switch value {
        case .string(let text): "'\(text)'"
        case .array, .object: "an \(value.typeName)"
        default: value.serialized()
        }
    }
}
