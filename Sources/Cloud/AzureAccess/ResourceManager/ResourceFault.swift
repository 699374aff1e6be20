package import PrefectJSON
internal import PrefectREST

/// An error as the Resource Manager describes it. The inner errors come first, because they name the cause.
package struct ResourceFault: Sendable, Hashable {
    /// The codes, the innermost first.
    package let codes: [String]
    /// The messages of the innermost errors, in one line.
    package let message: String

    /// A fault of one code.
    package init(code: String, message: String) {
        codes = code.isEmpty ? [] : [code]
        self.message = message
    }

    /// Reads `{"code": …, "message": …, "details": […]}`; `nil` for a value without a code.
    package init?(_ json: JSONValue?) {
        guard let json, json["code"]?.stringValue != nil else { return nil }
        var leaves: [(code: String, message: String)] = []
        var codes: [String] = []
        Self.collect(json, depth: 0, &leaves, &codes)
        self.codes = codes
        var messages: [String] = []
        for leaf in leaves.prefix(3) where !messages.contains(leaf.message) { messages.append(leaf.message) }
        message = messages.filter { !$0.isEmpty }.map(\.trimmedSentence).joined(separator: "; ")
    }

    /// The innermost code; empty without one.
    package var code: String { codes.first ?? "" }

    private static func collect(
        _ json: JSONValue, depth: Int, _ leaves: inout [(code: String, message: String)], _ codes: inout [String]
    ) {
        let code = json["code"]?.stringValue ?? ""
        let message = json["message"]?.stringValue ?? ""
        var inner = (json["details"]?.arrayValue ?? []).filter { $0["code"]?.stringValue != nil }
        // A message may be the text of another error.
        if inner.isEmpty, message.hasPrefix("{"), let nested = try? JSONValue(parsing: message) {
            inner = [nested["error"] ?? nested].filter { $0["code"]?.stringValue != nil }
        }
        if depth < 8 { for entry in inner.prefix(20) { collect(entry, depth: depth + 1, &leaves, &codes) } }
        if inner.isEmpty {
            let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
            leaves.append((code, line.count > 600 ? "\(line.prefix(600))…" : line))
        }
        if !code.isEmpty { codes.append(code) }
    }
}

extension ServiceReason {
    /// The reason in an answer of the Resource Manager.
    init(ofResourceManager answer: RESTAnswer) {
        let json = try? JSONValue(parsing: answer.body)
        guard let fault = ResourceFault(json?["error"] ?? json) else {
            self.init(of: answer)
            return
        }
        self.init(code: fault.code, message: fault.message.isEmpty ? fault.code : fault.message)
    }
}
