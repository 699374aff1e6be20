import BackendKit
import BackendKitTesting
import ECSBackend
import PrefectJSON

/// The subject `ecs`. AWS is the one that the environment names.
enum ECSConformance {
    static let backend: any Backend.Type = ECSBackend.self

    static func jobVariables(_ image: String?) -> JSONValue {
        ["image": JSONValue(image ?? "busybox:lab"), "cpu": 256, "memory": 512]
    }

    /// A task is described every 5 s, and a container may take 30 s to end.
    static let expectations = ConformanceExpectations(
        printsOutput: false,
        refusedJobVariables: [
            ["cluster": "nowhere"], ["task_definition_arn": "nowhere:1"], ["vpc_id": "vpc-nowhere"],
            ["network_configuration": ["subnets": ["subnet-nowhere"]]],
        ], beginning: .seconds(8), timeLimit: .seconds(180))
}
