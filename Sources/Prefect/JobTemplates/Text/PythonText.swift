internal import Notation
internal import OrderedCollections
package import PrefectJSON

extension JSONValue {
    /// The value as Python's `str` writes it: a string as it is, anything else like ``pythonRepresentation``.
    package var pythonText: String {
        if case .string(let text) = self { text } else { pythonRepresentation }
    }

    /// The value as Python's `repr` writes it: `None`, `True`, `1.0`, `'text'`, `[1, {'a': 'x'}]`.
    package var pythonRepresentation: String {
        var output = ""
        writePython(to: &output)
        return output
    }

    private func writePython(to output: inout String) {
        switch self {
        case .null: output += "None"
        case .bool(let value): output += value ? "True" : "False"
        case .int(let value): output += String(value)
        case .bigInteger(let digits): output += digits
        case .double(let value): output += value.pythonDescription
        case .string(let text): Self.writePython(text, to: &output)
        case .array(let elements):
            output += "["
            for (offset, element) in elements.enumerated() {
                if offset > 0 { output += ", " }
                element.writePython(to: &output)
            }
            output += "]"
        case .object(let members):
            output += "{"
            for (offset, member) in members.elements.enumerated() {
                if offset > 0 { output += ", " }
                Self.writePython(member.key, to: &output)
                output += ": "
                member.value.writePython(to: &output)
            }
            output += "}"
        }
    }

    private static func writePython(_ text: String, to output: inout String) {
        let scalars = text.unicodeScalars
        // Double quotes are used only where they save escapes.
        let quote: Unicode.Scalar = scalars.contains("'") && !scalars.contains("\"") ? "\"" : "'"
        output.unicodeScalars.append(quote)
        for scalar in scalars {
            switch scalar {
            case quote, "\\":
                output += "\\"
                output.unicodeScalars.append(scalar)
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            default:
                if scalar.isPythonPrintable {
                    output.unicodeScalars.append(scalar)
                } else {
                    writeEscape(scalar.value, to: &output)
                }
            }
        }
        output.unicodeScalars.append(quote)
    }

    private static func writeEscape(_ value: UInt32, to output: inout String) {
        let (letter, width) = value < 0x100 ? ("x", 2) : value < 0x10000 ? ("u", 4) : ("U", 8)
        output += "\\\(letter)\(hexadecimal(value, width: width))"
    }
}

extension Unicode.Scalar {
    /// Whether Python's `repr` writes the character without an escape.
    fileprivate var isPythonPrintable: Bool {
        if value < 0x7F { return value >= 0x20 }
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }
}
