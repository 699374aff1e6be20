/// Inspects text by the rules of the template engine.
package enum TemplateText {
    /// Whether a text contains placeholders of any kind.
    package static func hasPlaceholders(_ text: String) -> Bool { !Placeholder.all(in: text).isEmpty }
}
