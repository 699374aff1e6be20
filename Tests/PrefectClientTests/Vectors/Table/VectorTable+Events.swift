import PrefectClient

extension VectorTable {
    static let events: [String: VectorCall] = [
        "read_events": { client, arguments in
            VectorResult(
                try await client.readEvents(arguments.value("filter"), limit: arguments.value("limit") ?? 50))
        },
        "read_events_page": { client, arguments in
            VectorResult(try await client.readEventsPage(arguments.required("next_page_url")))
        },
    ]
}
