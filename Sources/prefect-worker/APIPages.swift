import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON
import WorkerKit

/// All objects that a route of the API lists. The first answer shows how the route divides them into pages.
struct APIPages: Sendable {
    let client: APIClient
    let request: APIRequestLine

    /// Prints the objects as one JSON array, an object on each line, while they arrive.
    func printAll() async throws {
        var separator = "["
        for try await object in try await objects() {
            print("\(separator)\n  \(object.serialized())", terminator: "")
            separator = ","
        }
        print(separator == "[" ? "[]" : "\n]")
    }

    private func objects() async throws -> Pages<JSONValue> {
        let size = max(1, min(request.number("limit") ?? 200, 200))
        let begin = request.number("offset") ?? 0
        let first: JSONValue
        do {
            first = try await request.with("limit", size).with("offset", begin).send(with: client).json()
        } catch let error as APIError where error.isUnprocessable && request.number("limit") == nil {
            // Some routes have a smaller limit of their own, which is their default.
            first = try await request.send(with: client).json()
        }
        if case .array(let objects) = first { return pages(by: size, from: begin, objects) }
        if first["next_page"] != nil { return pages(following: first) }
        if let count = first["pages"]?.intValue { return pages(numbered: first, count) }
        throw Refusal("The answer is no list of objects; send the request without --all")
    }

    /// Pages by `limit` and `offset`.
    private func pages(by size: Int, from begin: Int, _ first: [JSONValue]) -> Pages<JSONValue> {
        Pages(size: size) { limit, offset in
            guard offset > 0 else { return first }
            let page = try await request.with("limit", limit).with("offset", begin + offset).send(with: client)
            let objects = try page.json().arrayValue ?? []
            // A route that knows no offset returns its first objects again.
            return objects == first ? [] : objects
        }
    }

    /// Pages of which each names the next one, as those of events.
    private func pages(following first: JSONValue) -> Pages<JSONValue> {
        Pages(followingTokens: { token in
            var page = first
            if let token {
                let query = (URLComponents(string: token)?.queryItems ?? []).map {
                    (name: $0.name, value: $0.value ?? "")
                }
                page = try await client.request("GET", "/events/filter/next", query: query).json()
            }
            return (Self.objects(of: page), page["next_page"]?.stringValue)
        })
    }

    /// Pages with numbers from 1.
    private func pages(numbered first: JSONValue, _ count: Int) -> Pages<JSONValue> {
        let begin = first["page"]?.intValue ?? 1
        return Pages(followingTokens: { token in
            let number = token.flatMap { Int($0) } ?? begin
            let page = token == nil ? first : try await request.with("page", number).send(with: client).json()
            return (Self.objects(of: page), number < count ? "\(number + 1)" : nil)
        })
    }

    /// The list in an answer.
    private static func objects(of page: JSONValue) -> [JSONValue] {
        (page.objectValue ?? [:]).values.lazy.compactMap(\.arrayValue).first ?? []
    }
}
