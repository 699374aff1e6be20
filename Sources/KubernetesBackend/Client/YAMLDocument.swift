internal import JSON
internal import OrderedCollections
internal import Yams

/// Reads YAML, of which JSON is a part, as the JSON that it stands for.
enum YAMLDocument {
    /// What is wrong with a text that should be YAML, in one line and without the text itself.
    struct Problem: Error, Hashable, CustomStringConvertible {
        let description: String
    }

    /// So many values are taken, those that aliases repeat included: a few lines of aliases could stand for billions.
    static let maximumValues = 100_000

    /// Parses the first document of a text; an empty text is `null`.
    static func parse(_ text: String) throws(Problem) -> JSONValue {
        var reader = Reader()
        do {
            guard let node = try Yams.compose(yaml: text) else { return .null }
            return try reader.value(of: node, depth: 0)
        } catch let problem as Problem {
            throw problem
        } catch let error as YamlError {
            throw Problem(description: "it is not valid YAML\(error.place)")
        } catch {
            throw Problem(description: "it is not valid YAML")
        }
    }

    private struct Reader {
        var count = 0

        mutating func value(of node: Node, depth: Int) throws -> JSONValue {
            count += 1
            guard count <= maximumValues, depth < JSONValue.maximumDepth else {
                throw Problem(description: "it holds too many values, or they are nested too deep")
            }
            switch node {
            case .scalar(let scalar):
                // What is quoted is text, whatever it looks like; times stay as they are written.
                if let flag = Bool.construct(from: scalar), node.tag == Tag(.bool) { return .bool(flag) }
                if let number = Int.construct(from: scalar), node.tag == Tag(.int) { return .int(number) }
                if let number = Double.construct(from: scalar), node.tag == Tag(.float) { return .double(number) }
                return node.tag == Tag(.null) ? .null : .string(scalar.string)
            case .sequence(let elements):
                var values: [JSONValue] = []
                for element in elements { values.append(try value(of: element, depth: depth + 1)) }
                return .array(values)
            case .mapping(let pairs):
                var members: OrderedDictionary<String, JSONValue> = [:]
                for (key, member) in pairs {
                    guard let name = key.string else { throw Problem(description: "a key in it is not a text") }
                    members[name] = try value(of: member, depth: depth + 1)
                }
                return .object(members)
            case .alias:
                throw Problem(description: "it refers to an anchor that it does not have")
            }
        }
    }
}

extension YamlError {
    /// Where the trouble is, where that is known.
    fileprivate var place: String {
        switch self {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _):
            " (line \(mark.line), column \(mark.column))"
        default: ""
        }
    }
}
