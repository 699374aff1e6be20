/// The pieces of Prometheus's text format, version 0.0.4.
enum TextFormat {
    /// The type of a metric, as in its `TYPE` line.
    enum Kind: String, Sendable {
        case counter
        case gauge
        case histogram
    }

    static func header(_ name: String, _ kind: Kind, help: String) -> String {
        let help = help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        return "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    /// A line with a value; `labels` is the text between the braces.
    static func line(_ name: String, _ labels: String, _ value: String) -> String {
        labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }

    /// The text between the braces, in an order that does not depend on the caller.
    static func labels(_ labels: [(String, String)]) -> String {
        labels.map { (self.name($0.0, allowsColon: false), value($0.1)) }
            .sorted { $0.0 < $1.0 }
            .map { "\($0)=\"\($1)\"" }.joined(separator: ",")
    }

    /// A name in the allowed form: every character except letters, digits and underscores becomes an underscore.
    static func name(_ text: String, allowsColon: Bool = true) -> String {
        var name = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "_": name.unicodeScalars.append(scalar)
            case "0"..."9": name.unicodeScalars.append(contentsOf: name.isEmpty ? ["_", scalar] : [scalar])
            case ":" where allowsColon: name.unicodeScalars.append(scalar)
            default: name.append("_")
            }
        }
        return name.isEmpty ? "_" : name
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return Int64(exactly: value).map(String.init) ?? "\(value)"
    }

    private static func value(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
