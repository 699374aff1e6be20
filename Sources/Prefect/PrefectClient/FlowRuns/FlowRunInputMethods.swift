public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Writes an input of a flow run: `POST /flow_runs/{id}/input`. The API answers 409 when the key exists.
    ///
    /// - Parameters:
    ///   - key: A name of lower-case letters, digits and `-`. Another one is an error before anything is sent.
    ///   - value: The text of the input. Prefect's Python library expects JSON in it.
    ///   - sender: The sender, such as `prefect.flow-run.<id>`.
    public func createFlowRunInput(
        flowRunID: UUID, key: String, value: String, sender: String? = nil,
        effort: RetryPolicy.Effort = .standard
    ) async throws {
        let isValid =
            !key.isEmpty
            && key.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
        guard isValid else {
            throw APIError(
                invalid: "the key '\(key.explanation)' is not valid; use lower-case letters, digits and '-'",
                operation: "POST /flow_runs/{id}/input")
        }
        let body: JSONValue = ["key": .string(key), "value": .string(value), "sender": sender.orNull]
        try await perform(.post, ["flow_runs", .uuid(flowRunID), "input"], body: body, effort: effort)
    }

    /// Reads an input of a flow run as it was written: `GET /flow_runs/{id}/input/{key}`.
    public func readFlowRunInput(
        flowRunID: UUID, key: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> String {
        try await send(APIRequest(.get, ["flow_runs", .uuid(flowRunID), "input", .name(key)]), effort: effort).text
    }

    /// Reads the inputs of a flow run whose keys begin with a prefix: `POST /flow_runs/{id}/input/filter`.
    ///
    /// - Parameters:
    ///   - limit: The number of inputs to read, at most 200.
    ///   - excluding: Keys of inputs that are left out.
    public func filterFlowRunInput(
        flowRunID: UUID, keyPrefix: String, limit: Int, excluding keys: Set<String> = [],
        effort: RetryPolicy.Effort = .standard
    ) async throws -> [FlowRunInput] {
        let body: JSONValue = [
            "prefix": .string(keyPrefix), "limit": .int(limit), "exclude_keys": keys.sorted().jsonValue,
        ]
        return try await read(.post, ["flow_runs", .uuid(flowRunID), "input", "filter"], body: body, effort: effort)
    }

    /// Deletes an input of a flow run: `DELETE /flow_runs/{id}/input/{key}`.
    public func deleteFlowRunInput(
        flowRunID: UUID, key: String, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(.delete, ["flow_runs", .uuid(flowRunID), "input", .name(key)], effort: effort)
    }
}
