/// The operators that the server knows for a member. The types that conform have no values.
public protocol FilterOperators: Sendable {
    /// The operators in JSON.
    static var names: Set<String> { get }
}

/// Operators of which one condition can have several. The server ignores a condition of a state's type or name that has
/// two, so the operators of these do not conform.
public protocol CombinableOperators: FilterOperators {}
/// Operators of which one must hold, if the condition says so.
public protocol AlternativeOperators: CombinableOperators {}
/// Has `any_`.
public protocol AnyOperator: FilterOperators {}
/// Has `not_any_`.
public protocol NotAnyOperator: FilterOperators {}
/// Has `all_`.
public protocol AllOperator: FilterOperators {}
/// Has `like_`.
public protocol LikeOperator: FilterOperators {}
/// Has `startswith_`.
public protocol PrefixOperator: FilterOperators {}
/// Has `is_null_`.
public protocol NullOperator: FilterOperators {}
/// Has `exists_`.
public protocol ExistsOperator: FilterOperators {}
/// Has `eq_`.
public protocol EqualOperator: FilterOperators {}
/// Has `before_`.
public protocol BeforeOperator: FilterOperators {}
/// Has `after_`.
public protocol AfterOperator: FilterOperators {}
/// Has `ge_` and `le_`.
public protocol RangeOperators: FilterOperators {}
/// Has `query`.
public protocol QueryOperator: FilterOperators {}
/// Has `id_` and `type_`.
public protocol CreatorOperators: FilterOperators {}
