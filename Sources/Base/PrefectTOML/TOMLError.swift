/// The reason why a text is not valid TOML, and the position of the error.
package struct TOMLError: Error, Hashable {
    /// A description of the error, without any of the text itself.
    package let reason: String
    /// The line, counted from 1.
    package let line: Int
    /// The column in Unicode scalars, counted from 1.
    package let column: Int
}
