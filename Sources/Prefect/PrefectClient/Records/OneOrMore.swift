public import PrefectJSON

/// One value, or a list of values, where the API accepts both.
public enum OneOrMore<Element: JSONConvertible>: JSONConvertible, ExpressibleByArrayLiteral {
    /// One value, which is sent without a list.
    case one(Element)
    /// A list of values.
    case more([Element])

    /// Makes a list.
    public init(arrayLiteral elements: Element...) { self = .more(elements) }

    /// Reads one value or a list.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        if case .array = jsonValue {
            self = .more(try [Element](jsonValue: jsonValue))
        } else {
            self = .one(try Element(jsonValue: jsonValue))
        }
    }

    /// The value or the list as JSON.
    public var jsonValue: JSONValue {
        switch self {
        case .one(let element): element.jsonValue
        case .more(let elements): elements.jsonValue
        }
    }

    /// The empty list.
    public static var jsonPlaceholder: Self { .more([]) }

    /// The values.
    public var elements: [Element] {
        switch self {
        case .one(let element): [element]
        case .more(let elements): elements
        }
    }
}
