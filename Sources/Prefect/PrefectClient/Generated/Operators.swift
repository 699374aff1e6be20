// Tests/Schema/generate.py makes this file.

/// The operators `all_`, `any_`, `is_null_`, `operator`.
public enum AllAnyNullAlternativesOperatorSet: AllOperator, AnyOperator, NullOperator, AlternativeOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["all_", "any_", "is_null_", "operator"]
}

/// The operators `all_`, `is_null_`, `operator`.
public enum AllNullAlternativesOperatorSet: AllOperator, NullOperator, AlternativeOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["all_", "is_null_", "operator"]
}

/// The operators `all_`.
public enum AllOperatorSet: AllOperator, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["all_"]
}

/// The operators `any_`, `operator`.
public enum AnyAlternativesOperatorSet: AnyOperator, AlternativeOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["any_", "operator"]
}

/// The operators `any_`, `exists_`, `like_`.
public enum AnyLikeExistsOperatorSet: AnyOperator, LikeOperator, ExistsOperator, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["any_", "exists_", "like_"]
}

/// The operators `any_`, `like_`.
public enum AnyLikeOperatorSet: AnyOperator, LikeOperator, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["any_", "like_"]
}

/// The operators `any_`, `not_any_`.
public enum AnyNotAnyOperatorSet: AnyOperator, NotAnyOperator, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["any_", "not_any_"]
}

/// The operators `any_`, `is_null_`, `operator`.
public enum AnyNullAlternativesOperatorSet: AnyOperator, NullOperator, AlternativeOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["any_", "is_null_", "operator"]
}

/// The operators `any_`, `is_null_`.
public enum AnyNullOperatorSet: AnyOperator, NullOperator, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["any_", "is_null_"]
}

/// The operators `any_`.
public enum AnyOperatorSet: AnyOperator, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["any_"]
}

/// The operators `any_`, `startswith_`.
public enum AnyPrefixOperatorSet: AnyOperator, PrefixOperator, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["any_", "startswith_"]
}

/// The operators `after_`, `before_`, `is_null_`.
public enum BeforeAfterNullOperatorSet: BeforeOperator, AfterOperator, NullOperator, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["after_", "before_", "is_null_"]
}

/// The operators `after_`, `before_`.
public enum BeforeAfterOperatorSet: BeforeOperator, AfterOperator, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["after_", "before_"]
}

/// The operators `before_`.
public enum BeforeOperatorSet: BeforeOperator, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["before_"]
}

/// The operators `id_`, `is_null_`, `operator`, `type_`.
public enum CreatorNullAlternativesOperatorSet: CreatorOperators, NullOperator, AlternativeOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["id_", "is_null_", "operator", "type_"]
}

/// The operators `eq_`.
public enum EqualOperatorSet: EqualOperator, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["eq_"]
}

/// The operators `exists_`.
public enum ExistsOperatorSet: ExistsOperator, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["exists_"]
}

/// The operators `like_`.
public enum LikeOperatorSet: LikeOperator, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["like_"]
}

/// The operators `is_null_`, `operator`.
public enum NullAlternativesOperatorSet: NullOperator, AlternativeOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["is_null_", "operator"]
}

/// The operators `query`.
public enum QueryOperatorSet: QueryOperator, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["query"]
}

/// The operators `ge_`, `is_null_`, `le_`.
public enum RangeNullOperatorSet: RangeOperators, NullOperator, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["ge_", "is_null_", "le_"]
}

/// The operators `ge_`, `le_`.
public enum RangeOperatorSet: RangeOperators, CombinableOperators {
    /// The operators in JSON.
    public static let names: Set<String> = ["ge_", "le_"]
}

/// The operators `any_`, `not_any_`.
public enum SingleAnyNotAnyOperatorSet: AnyOperator, NotAnyOperator {
    /// The operators in JSON.
    public static let names: Set<String> = ["any_", "not_any_"]
}

/// The operators `any_`.
public enum SingleAnyOperatorSet: AnyOperator {
    /// The operators in JSON.
    public static let names: Set<String> = ["any_"]
}
