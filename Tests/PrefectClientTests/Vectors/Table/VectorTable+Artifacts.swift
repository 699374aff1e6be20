import PrefectClient

extension VectorTable {
    static let artifacts: [String: VectorCall] = [
        "create_artifact": { client, arguments in
            VectorResult(try await client.createArtifact(arguments.required("artifact")))
        },
        "read_artifacts": { client, arguments in
            VectorResult(
                try await client.readArtifacts(
                    artifacts: arguments.value("artifact_filter"), flowRuns: arguments.value("flow_run_filter"),
                    taskRuns: arguments.value("task_run_filter"), sort: arguments.value("sort"),
                    limit: arguments.value("limit"), offset: arguments.value("offset") ?? 0))
        },
        "read_latest_artifacts": { client, arguments in
            VectorResult(
                try await client.readLatestArtifacts(
                    artifacts: arguments.value("artifact_filter"), flowRuns: arguments.value("flow_run_filter"),
                    taskRuns: arguments.value("task_run_filter"), sort: arguments.value("sort"),
                    limit: arguments.value("limit"), offset: arguments.value("offset") ?? 0))
        },
        "update_artifact": { client, arguments in
            try await client.updateArtifact(id: arguments.required("artifact_id"), arguments.required("artifact"))
            return .nothing
        },
        "delete_artifact": { client, arguments in
            try await client.deleteArtifact(id: arguments.required("artifact_id"))
            return .nothing
        },
    ]
}
