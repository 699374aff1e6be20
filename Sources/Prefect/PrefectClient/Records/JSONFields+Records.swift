package import PrefectJSON

extension JSONFields {
    /// A required member as a value of the API, such as a record.
    package func value<Value: JSONConvertible>(
        _ key: String, as type: Value.Type = Value.self
    ) throws(JSONDecodingError) -> Value {
        do {
            return try Value(jsonValue: value(key) ?? .null)
        } catch {
            throw error.inside(path(of: key))
        }
    }
}
