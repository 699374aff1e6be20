public import FoundationEssentials
internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST

/// A client of the part of Prefect Cloud that is above a workspace: accounts and the workspaces of a key.
///
/// It makes its requests like ``APIClient``, with the same retries and the same ``APIError``. Cloud answers 401 or 403
/// when it does not accept the key.
///
/// ```swift
/// let cloud = try CloudClient(settings: PrefectSettings.load())
/// for workspace in try await cloud.readWorkspaces() { print(workspace.workspaceHandle) }
/// ```
public struct CloudClient: Sendable {
    /// The client that makes the requests, for routes without a method of their own.
    public let client: APIClient
    /// The account whose settings are read and changed.
    public let accountID: UUID?
    /// The workspace whose workers are described, and which ``readCurrentWorkspace(effort:)`` finds.
    public let workspaceID: UUID?

    /// Makes a client from a client of Cloud's own URL.
    ///
    /// - Parameters:
    ///   - client: A client whose URL is that of Cloud, such as `https://api.prefect.cloud/api`.
    ///   - accountID: The account, for the methods that concern one.
    ///   - workspaceID: The workspace, for the methods that concern one.
    public init(client: APIClient, accountID: UUID? = nil, workspaceID: UUID? = nil) {
        self.client = client
        self.accountID = accountID
        self.workspaceID = workspaceID
    }

    /// Makes a client with a transport of its own.
    ///
    /// - Parameters:
    ///   - apiKey: The key, such as `pnu_…`.
    ///   - url: The URL of Cloud.
    public init(
        apiKey: Secret, accountID: UUID? = nil, workspaceID: UUID? = nil,
        url: String = "https://api.prefect.cloud/api"
    ) throws {
        let configuration = APIClient.Configuration(url: url, apiKey: apiKey, cloudURL: url)
        self.init(
            client: APIClient(configuration: configuration, transport: try HTTPTransport(TransportConfiguration())),
            accountID: accountID, workspaceID: workspaceID)
    }

    /// Makes a client of the Cloud that the settings name: `PREFECT_CLOUD_API_URL` and `PREFECT_API_KEY`. Account and
    /// workspace are those of `PREFECT_API_URL`, if it names any.
    ///
    /// - Throws: The error of the transport if it cannot be made.
    public init(settings: PrefectSettings) throws {
        let configuration = APIClient.Configuration(
            url: settings.cloudAPIURL, apiKey: settings.apiKey, cloudURL: settings.cloudAPIURL,
            customHeaders: settings.customHeaders, requestTimeout: settings.requestTimeout,
            retryPolicy: RetryPolicy(settings: settings))
        let (account, workspace) = Self.ids(inURL: settings.apiBaseURL ?? "")
        self.init(
            client: APIClient(configuration: configuration, transport: try HTTPTransport(.init(settings: settings))),
            accountID: account, workspaceID: workspace)
    }

    /// The account and the workspace in the URL of a workspace's API.
    static func ids(inURL url: String) -> (account: UUID?, workspace: UUID?) {
        let parts = url.split(separator: "/")
        func id(after word: Substring) -> UUID? {
            guard let index = parts.lastIndex(of: word), parts.indices.contains(index + 1) else { return nil }
            return UUID(uuidString: String(parts[index + 1]))
        }
        return (id(after: "accounts"), id(after: "workspaces"))
    }

    /// The path of the account.
    func account(_ operation: String) throws -> [APIPathPart] {
        guard let accountID else { throw Self.missing("account", operation) }
        return ["accounts", .uuid(accountID)]
    }

    /// The path of the workspace.
    func workspace(_ operation: String) throws -> [APIPathPart] {
        guard let workspaceID else { throw Self.missing("workspace", operation) }
        return try account(operation) + ["workspaces", .uuid(workspaceID)]
    }

    private static func missing(_ thing: String, _ operation: String) -> APIError {
        APIError(
            invalid: "the client has no \(thing); give its id, or set PREFECT_API_URL to the URL of a workspace",
            operation: operation)
    }
}
