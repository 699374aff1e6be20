internal import OrderedCollections
internal import PrefectJSON

/// The filter of one kind of object: members with `any_` and `not_any_` lists.
///
/// The answer to an unknown member is 501, so that no test passes because the fake ignored its filter.
struct Filter {
    private let allowed: [String: Set<String>]
    private let forbidden: [String: Set<String>]

    init(_ value: JSONValue?, at location: String, knows members: Set<String>, _ body: JSONValue) throws(Refusal) {
        var allowed: [String: Set<String>] = [:]
        var forbidden: [String: Set<String>] = [:]
        for (member, condition) in value?.objectValue ?? [:] where !condition.isNull && member != "operator" {
            guard members.contains(member) else { throw Self.unknown("\(location).\(member)") }
            for (comparison, list) in condition.objectValue ?? [:] where !list.isNull && comparison != "operator" {
                guard let elements = list.arrayValue else {
                    throw Self.unknown("\(location).\(member).\(comparison)")
                }
                let strings = Set(elements.compactMap(\.stringValue))
                switch comparison {
                case "any_": allowed[member] = strings
                case "not_any_": forbidden[member] = strings
                default: throw Self.unknown("\(location).\(member).\(comparison)")
                }
            }
        }
        self.allowed = allowed
        self.forbidden = forbidden
    }

    static func unknown(_ what: String) -> Refusal {
        Refusal(status: 501, body: ["detail": .string("The fake server does not know the filter '\(what)'.")])
    }

    /// Whether a value passes. An object without the value passes only where the filter requires no value.
    func allows(_ member: String, _ value: String?) -> Bool {
        if let allowed = allowed[member] {
            guard let value, allowed.contains(value) else { return false }
        }
        guard let forbidden = forbidden[member], let value else { return true }
        return !forbidden.contains(value)
    }
}
