import PrefectClient

extension VectorTable {
    static let logs: [String: VectorCall] = [
        "create_logs": { client, arguments in
            try await client.createLogs(arguments.required("logs"))
            return .nothing
        },
        "read_logs": { client, arguments in
            VectorResult(
                try await client.readLogs(
                    logs: arguments.value("log_filter"), sort: arguments.value("sort") ?? .timestampAscending,
                    limit: arguments.value("limit"), offset: arguments.value("offset")))
        },
    ]
}
