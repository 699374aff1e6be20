/// The pieces of Prometheus's text format, version 0.0.4.
enum TextFormat {
    /// All lines of a metric.
    static func text(_ metric: MetricValues) -> String {
        header(metric.name, metric.kind, help: metric.help)
            + metric.series.map { lines(metric.name, labels($0.labels), $0.value) }.joined()
    }

    /// The lines of a series; `labels` is the text between the braces.
    private static func lines(_ name: String, _ labels: String, _ value: MetricValues.Value) -> String {
        switch value {
        case .count(let count): return line(name, labels, "\(count)")
        case .number(let value): return line(name, labels, number(value))
        case .distribution(let distribution):
            let separator = labels.isEmpty ? "" : ","
            var total: UInt64 = 0
            var text = ""
            for (bound, count) in zip(distribution.bounds + [.infinity], distribution.counts) {
                total += count
                let bucket = "\(labels)\(separator)le=\"\(number(bound))\""
                text += line("\(name)_bucket", bucket, "\(total)")
            }
            return text + line("\(name)_sum", labels, number(distribution.sum))
                + line("\(name)_count", labels, "\(total)")
        }
    }

    static func header(_ name: String, _ kind: MetricValues.Kind, help: String) -> String {
        let help = help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        return "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    /// A line with a value; `labels` is the text between the braces.
    static func line(_ name: String, _ labels: String, _ value: String) -> String {
        labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }

    /// The labels in an order that does not depend on the caller, with names in the allowed form.
    static func labels(of dimensions: [(String, String)]) -> [MetricValues.Label] {
        dimensions.map { MetricValues.Label(name: name($0.0, allowsColon: false), value: $0.1) }
            .sorted { $0.name < $1.name }
    }

    /// The text between the braces.
    static func labels(_ labels: [MetricValues.Label]) -> String {
        labels.map { "\($0.name)=\"\(value($0.value))\"" }.joined(separator: ",")
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
