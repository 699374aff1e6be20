internal import BackendKit
internal import OrderedCollections

/// The specification of a custom job: the names that templates use, and those of the service.
enum CustomJobSpecification {
    /// The shape of a part.
    private indirect enum Part: Sendable {
        case value
        case object([String: Part])
        case list(Part)
    }

    private static let variables = Part.list(.object(["name": .value, "value": .value]))

    private static let worker = Part.object([
        "containerSpec": .object(["imageUri": .value, "command": .value, "args": .value, "env": variables]),
        "pythonPackageSpec": .object([
            "executorImageUri": .value, "packageUris": .value, "pythonModule": .value, "args": .value,
            "env": variables,
        ]),
        "machineSpec": .object([
            "machineType": .value, "acceleratorType": .value, "acceleratorCount": .value, "tpuTopology": .value,
            "gpuPartitionSize": .value,
            "reservationAffinity": .object(["reservationAffinityType": .value, "key": .value, "values": .value]),
        ]),
        "replicaCount": .value,
        "nfsMounts": .list(.object(["server": .value, "path": .value, "mountPoint": .value])),
        "lustreMounts": .list(
            .object(["instanceIp": .value, "filesystem": .value, "mountPoint": .value, "volumeHandle": .value])),
        "diskSpec": .object(["bootDiskType": .value, "bootDiskSizeGb": .value]),
    ])

    private static let whole = Part.object([
        "workerPoolSpecs": .list(worker),
        "scheduling": .object([
            "timeout": .value, "restartJobOnWorkerRestart": .value, "strategy": .value, "disableRetries": .value,
            "maxWaitDuration": .value,
        ]),
        "serviceAccount": .value, "network": .value, "reservedIpRanges": .value,
        "pscInterfaceConfig": .object([
            "networkAttachment": .value,
            "dnsPeeringConfigs": .list(
                .object(["domain": .value, "targetProject": .value, "targetNetwork": .value])),
        ]),
        "baseOutputDirectory": .object(["outputUriPrefix": .value]), "protectedArtifactLocationId": .value,
        "tensorboard": .value, "enableWebAccess": .value, "enableDashboardAccess": .value, "experiment": .value,
        "experimentRun": .value, "models": .value, "persistentResourceId": .value,
    ])

    /// The specification as the service takes it. Throws ``InfrastructureError`` of the kind `refused`, which names a key
    /// that the service does not know.
    static func json(_ jobSpec: JSONValue) throws(InfrastructureError) -> JSONValue {
        var spec = jobSpec
        let account = spec["service_account_name"]
        let hours = spec["maximum_run_time_hours"]
        spec["service_account_name"] = nil
        spec["maximum_run_time_hours"] = nil
        var result = try translated(spec, whole, at: "job_spec")
        if let account = account?.stringValue { result["serviceAccount"] = .string(account) }
        guard let hours, let number = hours.doubleValue ?? hours.stringValue.flatMap({ Double($0) }),
            number > 0, number < 1_000_000
        else {
            throw InfrastructureError(
                .refused, "The job variable 'maximum_run_time_hours' should be a positive number of hours; correct it")
        }
        var scheduling = result["scheduling"] ?? [:]
        scheduling["timeout"] = .string("\(Int((number * 3600).rounded()))s")
        result["scheduling"] = scheduling
        return result
    }

    private static func translated(
        _ value: JSONValue, _ part: Part, at path: String
    ) throws(InfrastructureError) -> JSONValue {
        switch part {
        case .value: return value
        case .list(let element):
            guard let elements = value.arrayValue else { throw mismatch(path, "a list", value) }
            var result: [JSONValue] = []
            for (index, item) in elements.enumerated() {
                result.append(try translated(item, element, at: "\(path)[\(index)]"))
            }
            return .array(result)
        case .object(let parts):
            guard let members = value.objectValue else { throw mismatch(path, "an object", value) }
            var result: OrderedDictionary<String, JSONValue> = [:]
            for (key, member) in members {
                let name = camelCase(key)
                guard let part = parts[name] else {
                    throw InfrastructureError(
                        .refused,
                        "Vertex AI has no field '\(path).\(key)': remove it from the base job template, or correct its name"
                    )
                }
                if member.isNull || member == [] { continue }
                result[name] = try translated(member, part, at: "\(path).\(key)")
            }
            return .object(result)
        }
    }

    private static func mismatch(_ path: String, _ expected: String, _ value: JSONValue) -> InfrastructureError {
        InfrastructureError(
            .refused, "'\(path)' should be \(expected) but its type is \(value.typeName); correct the base job template"
        )
    }

    private static func camelCase(_ key: String) -> String {
        let words = key.split(separator: "_", omittingEmptySubsequences: false)
        return words.dropFirst().reduce(String(words.first ?? "")) { $0 + $1.prefix(1).uppercased() + $1.dropFirst() }
    }
}
