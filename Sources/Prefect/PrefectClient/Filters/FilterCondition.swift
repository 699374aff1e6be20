internal import OrderedCollections
public import PrefectJSON

/// A condition on one member of the objects that a filter selects.
///
/// The operators depend on the member: `Operators` names those that the server knows for it, so another one does not
/// compile. Operators of one condition are combined by `and`:
///
/// ```swift
/// FlowRunFilter(name: .like("etl"), startTime: .after(yesterday).and(.before(today)))
/// ```
public struct FilterCondition<Operators: FilterOperators, Value: JSONConvertible>: JSONConvertible {
    /// The operators and their operands, as they are sent.
    let members: JSONObject

    init(_ name: String, _ operand: JSONValue) { members = [name: operand] }

    private init(members: JSONObject) { self.members = members }

    /// Reads a condition.
    ///
    /// - Throws: An error that names the operator that the server does not know for the member.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        guard case .object(let members) = jsonValue else { throw .mismatch("a condition", jsonValue) }
        for name in members.keys where !Operators.names.contains(name) {
            throw JSONDecodingError(path: name, problem: "is not an operator of this condition")
        }
        if members.count > 1, !(Operators.self is any CombinableOperators.Type) {
            throw JSONDecodingError(path: "", problem: "has two operators, of which the server ignores both")
        }
        self.members = members
    }

    /// The condition as JSON.
    public var jsonValue: JSONValue { .object(members) }

    /// A condition without operators.
    public static var jsonPlaceholder: Self { Self(members: [:]) }

    fileprivate func joined(with other: Self, by word: String?) -> Self {
        var joined = members.merging(other.members) { $1 }
        if let word { joined["operator"] = .string(word) }
        return Self(members: joined)
    }
}

extension FilterCondition where Operators: CombinableOperators {
    /// Both conditions hold. A later operator replaces an earlier one with the same name.
    public func and(_ other: Self) -> Self { joined(with: other, by: nil) }
}

extension FilterCondition where Operators: AlternativeOperators {
    /// One of the conditions holds. It applies to all operators of the condition.
    public func or(_ other: Self) -> Self { joined(with: other, by: "or_") }
}

extension FilterCondition where Operators: AnyOperator {
    /// The member is one of the values, or has one of them. No value matches nothing.
    public static func any(_ values: [Value]) -> Self { Self("any_", values.jsonValue) }
    /// The member is one of the values, or has one of them.
    public static func any(_ values: Value...) -> Self { any(values) }
    /// The member is the value, or has it.
    public static func equals(_ value: Value) -> Self { any([value]) }
}

extension FilterCondition where Operators: NotAnyOperator {
    /// The member is none of the values. Objects whose member is `null` do not match either.
    public static func notAny(_ values: [Value]) -> Self { Self("not_any_", values.jsonValue) }
    /// The member is none of the values. Objects whose member is `null` do not match either.
    public static func notAny(_ values: Value...) -> Self { notAny(values) }
}

extension FilterCondition where Operators: AllOperator {
    /// The member has all of the values.
    public static func all(_ values: [Value]) -> Self { Self("all_", values.jsonValue) }
    /// The member has all of the values.
    public static func all(_ values: Value...) -> Self { all(values) }
}

extension FilterCondition where Operators: LikeOperator {
    /// The member contains the text, in either case. In it, `%` and `_` are wildcards that cannot be escaped.
    public static func like(_ text: String) -> Self { Self("like_", .string(text)) }
}

extension FilterCondition where Operators: PrefixOperator {
    /// The member begins with one of the texts.
    public static func startsWith(_ prefixes: [String]) -> Self { Self("startswith_", prefixes.jsonValue) }
    /// The member begins with one of the texts.
    public static func startsWith(_ prefixes: String...) -> Self { startsWith(prefixes) }
}

extension FilterCondition where Operators: NullOperator {
    /// The member is `null` or empty; with `false`, it is not.
    public static func isNull(_ isNull: Bool = true) -> Self { Self("is_null_", .bool(isNull)) }
}

extension FilterCondition where Operators: ExistsOperator {
    /// The member exists; with `false`, it does not.
    public static func exists(_ exists: Bool = true) -> Self { Self("exists_", .bool(exists)) }
}

extension FilterCondition where Operators: EqualOperator {
    /// The member is the value.
    public static func equals(_ value: Value) -> Self { Self("eq_", value.jsonValue) }
}

extension FilterCondition where Operators: BeforeOperator {
    /// The member is at this time or earlier.
    public static func before(_ time: Timestamp) -> Self { Self("before_", time.jsonValue) }
}

extension FilterCondition where Operators: AfterOperator {
    /// The member is at this time or later.
    public static func after(_ time: Timestamp) -> Self { Self("after_", time.jsonValue) }
}

extension FilterCondition where Operators: RangeOperators {
    /// The member is the number or greater.
    public static func atLeast(_ number: Int) -> Self { Self("ge_", .int(number)) }
    /// The member is the number or less.
    public static func atMost(_ number: Int) -> Self { Self("le_", .int(number)) }
}

extension FilterCondition where Operators: QueryOperator {
    /// The text matches a search: words, `-word` for words that must not occur, and `"a phrase"`.
    ///
    /// A server whose SQLite is older than 3.44 answers 500.
    public static func query(_ text: String) -> Self { Self("query", .string(text)) }
}

extension FilterCondition where Operators: CreatorOperators {
    /// The id of the creator is one of these.
    public static func ids(_ ids: [Value]) -> Self { Self("id_", ids.jsonValue) }
    /// The type of the creator is one of these, such as `DEPLOYMENT`.
    public static func types(_ types: [String]) -> Self { Self("type_", types.jsonValue) }
}
