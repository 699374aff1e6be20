internal import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Reads the first page of events: `POST /events/filter`. Read the next by ``readEventsPage(_:effort:)``.
    ///
    /// Without ``EventFilter/occurred``, the filter selects events of the last 180 days.
    ///
    /// - Parameter limit: The size of all pages, at most 50; the API refuses more.
    public func readEvents(
        _ filter: EventFilter? = nil, limit: Int = 50, effort: RetryPolicy.Effort = .standard
    ) async throws -> EventPage {
        var filter = filter
        // The API's own defaults, which Prefect's client sends too.
        if filter != nil, filter?.id == nil { filter?.id = EventIDFilter { $0.id = [] } }
        if filter != nil, filter?.occurred == nil {
            filter?.occurred = EventOccurredFilter {
                $0.since = Timestamp.now.adding(seconds: -180 * 86_400)
                $0.until = .now
            }
        }
        let body: JSONValue = ["filter": filter.orNull, "limit": .int(limit)]
        return try await read(.post, ["events", "filter"], body: body, effort: effort)
    }

    /// Sends events: `POST /events`. Automations react to them. The API keeps one event of each id.
    public func createEvents(_ events: [EventCreate], effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.post, ["events"], body: events.jsonValue, effort: effort)
    }

    /// Reads a page of events: `GET /events/filter/next`.
    ///
    /// - Parameter nextPage: The URL from ``EventPage/nextPage``. Only its query is used, because a server behind a
    ///   proxy may not know its own address.
    public func readEventsPage(
        _ nextPage: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> EventPage {
        let items = URLComponents(string: nextPage)?.queryItems ?? []
        let query = items.map { (name: $0.name, value: $0.value ?? "") }
        return try await read(.get, ["events", "filter", "next"], query: query, effort: effort)
    }

    /// All events of a filter, which are read page by page: `POST /events/filter`, then `GET /events/filter/next`.
    public func allEvents(_ filter: EventFilter? = nil) -> Pages<ReceivedEvent> {
        Pages(followingTokens: { token in
            let page = if let token { try await self.readEventsPage(token) } else { try await self.readEvents(filter) }
            return (page.events, page.nextPage)
        })
    }
}
