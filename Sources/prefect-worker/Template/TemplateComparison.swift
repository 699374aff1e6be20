import OrderedCollections
import PrefectJSON

extension JSONValue {
    /// The lines of the value with its members in alphabetical order, since servers store them in any order.
    var sortedLines: [String] {
        sorted.serialized(.pretty).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    private var sorted: JSONValue {
        switch self {
        case .object(let members):
            .object(
                OrderedDictionary(
                    uniqueKeysWithValues: members.sorted { $0.key < $1.key }.map { ($0.key, $0.value.sorted) }))
        case .array(let elements): .array(elements.map(\.sorted))
        default: self
        }
    }

    /// The paths of the values that `other` does not have, or has with another value.
    func values(lostIn other: JSONValue, at path: String = "") -> [String] {
        guard case .object(let members) = self, case .object(let others) = other else {
            return sorted == other.sorted ? [] : [path]
        }
        return members.sorted { $0.key < $1.key }.flatMap { member in
            let path = path.isEmpty ? member.key : "\(path).\(member.key)"
            return others[member.key].map { member.value.values(lostIn: $0, at: path) } ?? [path]
        }
    }
}
