internal import AzureAccess
internal import HTTPTransport
internal import PrefectJSON
internal import PrefectREST

/// The paths and versions of the requests to Azure, the same as the Python worker's.
enum Requests {
    /// The version of the deployments' API.
    static let deployments = "2025-04-01"
    /// The version of the API of container groups.
    static let containerGroups = "2023-05-01"
    /// The version of the API of resource groups.
    static let resourceGroups = "2021-04-01"
    /// The version of the API of permissions.
    static let permissions = "2022-04-01"

    static func deployment(_ name: String, in place: ResourceGroup) -> RequestPath {
        "/subscriptions/\(place.subscription)/resourcegroups/\(place.name)/providers/Microsoft.Resources/deployments/\(name)"
    }

    static func cancellation(of name: String, in place: ResourceGroup) -> RequestPath {
        RequestPath(encoded: deployment(name, in: place).encoded + "/cancel")
    }

    static func groups(in place: ResourceGroup) -> RequestPath {
        "/subscriptions/\(place.subscription)/resourceGroups/\(place.name)/providers/Microsoft.ContainerInstance/containerGroups"
    }

    static func group(_ name: String, in place: ResourceGroup) -> RequestPath {
        RequestPath(encoded: groups(in: place).encoded + "/" + PercentEncoding.encode(name))
    }

    static func stop(_ name: String, in place: ResourceGroup) -> RequestPath {
        RequestPath(encoded: group(name, in: place).encoded + "/stop")
    }

    static func logs(of container: String, in name: String, _ place: ResourceGroup) -> RequestPath {
        RequestPath(
            encoded: group(name, in: place).encoded + "/containers/\(PercentEncoding.encode(container))/logs")
    }

    /// The query for the last lines of a log; all lines without a number.
    static func logQuery(tail: Int?) -> [(name: String, value: String)] {
        (tail.map { [(name: "tail", value: String($0))] } ?? []) + [(name: "timestamps", value: "true")]
    }

    static func resourceGroup(_ place: ResourceGroup) -> RequestPath {
        "/subscriptions/\(place.subscription)/resourcegroups/\(place.name)"
    }

    static func permissions(in place: ResourceGroup) -> RequestPath {
        "/subscriptions/\(place.subscription)/resourcegroups/\(place.name)/providers/Microsoft.Authorization/permissions"
    }

    /// A request as `render` shows it.
    static func shown(
        _ method: String, _ path: RequestPath, _ version: String, query: [(name: String, value: String)] = [],
        body: JSONValue = .null, cloud: AzureCloud
    ) -> JSONValue {
        let query = ([(name: "api-version", value: version)] + query).map { "\($0.name)=\($0.value)" }
        return [
            "method": .string(method),
            "url": .string("\(cloud.resourceManager)\(path.encoded)?\(query.joined(separator: "&"))"), "body": body,
        ]
    }
}
