/// Inspects text by the rules of the template engine.
public enum TemplateText {
    /// Whether a text contains placeholders of any kind.
    public static func hasPlaceholders(_ text: String) -> Bool { !Placeholder.all(in: text).isEmpty }
}
