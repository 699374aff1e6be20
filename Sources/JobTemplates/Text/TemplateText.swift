/// What a text looks like to the template engine.
public enum TemplateText {
    /// Whether there are placeholders in a text, of any kind.
    public static func hasPlaceholders(_ text: String) -> Bool { !Placeholder.all(in: text).isEmpty }
}
