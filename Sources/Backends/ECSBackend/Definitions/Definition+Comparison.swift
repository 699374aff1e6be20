internal import OrderedCollections
internal import PrefectJSON

extension Definition {
    /// The fields that AWS adds to a definition.
    private static let added = [
        "compatibilities", "deregisteredAt", "registeredAt", "registeredBy", "requiresAttributes", "revision", "status",
        "taskDefinitionArn",
    ]

    /// Whether two definitions mean the same, although AWS has filled in defaults of one.
    static func areEqual(_ left: JSONValue, _ right: JSONValue) -> Bool {
        normal(left).isEquivalent(to: normal(right))
    }

    /// The first field in which two definitions differ, for the search for the cause of a registration.
    static func difference(_ left: JSONValue, _ right: JSONValue) -> String? {
        let (left, right) = (normal(left).objectValue ?? [:], normal(right).objectValue ?? [:])
        let keys = OrderedSet(left.keys).union(right.keys)
        return keys.first { key in
            guard let one = left[key], let other = right[key] else { return true }
            return !one.isEquivalent(to: other)
        }
    }

    private static func normal(_ definition: JSONValue) -> JSONValue {
        var definition = definition
        if definition["networkMode"] == nil { definition["networkMode"] = "bridge" }
        definition["containerDefinitions"] = .array(
            (definition["containerDefinitions"]?.arrayValue ?? []).map { container in
                var container = container
                if container["essential"] == nil { container["essential"] = true }
                // AWS keeps these lists without an order.
                for (list, key) in [("environment", "name"), ("secrets", "name"), ("environmentFiles", "value")] {
                    guard let entries = container[list]?.arrayValue else { continue }
                    container[list] = .array(
                        entries.sorted { $0[key]?.stringValue ?? "" < $1[key]?.stringValue ?? "" })
                }
                return container
            })
        definition = withoutEmpties(definition)
        for field in added { definition[field] = nil }
        return definition
    }
}
