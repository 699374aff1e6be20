internal import FoundationEssentials
internal import PrefectJSON

/// The credentials for a registry.
///
/// Their printed form shows only the registry's address.
struct RegistryCredentials: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    var username: String
    var password: String
    /// A token that a registry issues in place of a password.
    var identityToken: String?
    /// The registry's address, in the form that the registry expects.
    var server: String

    var description: String { "credentials for \(server)" }

    var customMirror: Mirror { Mirror(self, children: ["server": server]) }

    /// The object that the Engine's `/auth` takes.
    var json: JSONValue {
        var json: JSONValue = ["serveraddress": .string(server)]
        if let identityToken {
            json["identitytoken"] = .string(identityToken)
        } else {
            json["username"] = .string(username)
            json["password"] = .string(password)
        }
        return json
    }

    /// The value of `X-Registry-Auth`.
    var header: String {
        Data(json.serializedBytes()).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
    }

    /// Whether two spellings of a registry's address refer to the same registry.
    static func isSame(_ left: String, _ right: String) -> Bool { normalized(left) == normalized(right) }

    /// The host of an address. All spellings of Docker Hub's host yield one form.
    static func normalized(_ address: String) -> String {
        var host = address[...]
        if let scheme = host.firstRange(of: "://") { host = host[scheme.upperBound...] }
        let name = host.prefix { $0 != "/" }.lowercased()
        return ["index.docker.io", "registry-1.docker.io"].contains(name) ? ImageReference.hub : name
    }
}
