internal import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

/// The value of one docker-py keyword, converted into the forms that the Engine accepts.
struct KeywordForm {
    let key: String
    let value: JSONValue

    static let healthcheck = [
        "test": "Test", "interval": "Interval", "timeout": "Timeout", "retries": "Retries",
        "start_period": "StartPeriod",
    ]
    static let deviceRequest = [
        "driver": "Driver", "count": "Count", "device_ids": "DeviceIDs", "capabilities": "Capabilities",
        "options": "Options",
    ]

    private func mismatch(_ expected: String) -> InfrastructureError {
        CreateOptions.refusal(key, "should be \(expected) but its type is \(value.typeName); correct it")
    }

    func object() throws(InfrastructureError) -> JSONValue {
        guard value.objectValue != nil else { throw mismatch("an object") }
        return value
    }

    func elements() throws(InfrastructureError) -> [JSONValue] {
        guard let elements = value.arrayValue else { throw mismatch("a list") }
        return elements
    }

    /// The words of a command line that is split as in a shell, or of a list that is split already.
    func words() throws(InfrastructureError) -> [JSONValue] {
        guard let line = value.stringValue else { return try elements() }
        guard let words = try? ShellWords.split(line) else {
            throw CreateOptions.refusal(key, "has an unclosed quotation mark; correct it")
        }
        return words.map(JSONValue.string)
    }

    /// An object whose members get the Engine's names. Members that already have these names keep them.
    func renamed(_ names: [String: String]) throws(InfrastructureError) -> JSONValue {
        guard let members = value.objectValue else { throw mismatch("an object") }
        var renamed: OrderedDictionary<String, JSONValue> = [:]
        for (key, member) in members {
            let name = names[key] ?? key
            guard names.values.contains(name) else {
                throw CreateOptions.refusal(self.key, "does not accept the member '\(key)'; correct it")
            }
            // A health check that is a plain text is a command for the shell.
            renamed[name] = name == "Test" && member.stringValue != nil ? ["CMD-SHELL", member] : member
        }
        return .object(renamed)
    }

    func renamedElements(_ names: [String: String]) throws(InfrastructureError) -> JSONValue {
        var renamed: [JSONValue] = []
        for element in try elements() { renamed.append(try KeywordForm(key: key, value: element).renamed(names)) }
        return .array(renamed)
    }

    /// The pairs of an object, of a list of pairs, or of a list of texts that are joined already.
    func pairs(separator: String) throws(InfrastructureError) -> [String] {
        if let members = value.objectValue {
            return members.map { "\($0.key)\(separator)\($0.value.pythonText)" }
        }
        return try elements().map { element in
            element.arrayValue?.map(\.pythonText).joined(separator: separator) ?? element.pythonText
        }
    }

    /// An object whose values are converted to texts.
    func texts() throws(InfrastructureError) -> JSONValue {
        guard let members = value.objectValue else { throw mismatch("an object") }
        return .object(members.mapValues { .string($0.pythonText) })
    }

    /// Mount points of file systems in memory, with their options: an object, or a list of `place` or `place:options`.
    func tmpfs() throws(InfrastructureError) -> JSONValue {
        if value.objectValue != nil { return try texts() }
        var places: OrderedDictionary<String, JSONValue> = [:]
        for element in try elements() {
            let parts = element.pythonText.split(separator: ":", maxSplits: 1).map(String.init)
            if let place = parts.first { places[place] = .string(parts.dropFirst().first ?? "") }
        }
        return .object(places)
    }

    /// Devices as `host[:container[:permissions]]`, or as objects in the Engine's form.
    func devices() throws(InfrastructureError) -> JSONValue {
        .array(
            try elements().map { element in
                guard let text = element.stringValue else { return element }
                let parts = text.split(separator: ":").map(String.init)
                let path = parts.first ?? ""
                return [
                    "PathOnHost": .string(path), "PathInContainer": .string(parts.dropFirst().first ?? path),
                    "CgroupPermissions": .string(parts.dropFirst(2).first ?? "rwm"),
                ]
            })
    }

    /// Ports of the container with their bindings on the host. A binding is a number, an address with a number, a list
    /// of these, or null for any port.
    func ports() throws(InfrastructureError) -> (exposed: JSONValue, bindings: JSONValue) {
        guard let members = value.objectValue else { throw mismatch("an object of ports") }
        var exposed: OrderedDictionary<String, JSONValue> = [:]
        var bindings: OrderedDictionary<String, JSONValue> = [:]
        for (port, target) in members {
            let name = port.contains("/") ? port : "\(port)/tcp"
            exposed[name] = [:]
            bindings[name] = .array(Self.bindings(target))
        }
        return (.object(exposed), .object(bindings))
    }

    private static func bindings(_ target: JSONValue) -> [JSONValue] {
        func binding(_ address: String, _ port: JSONValue) -> JSONValue {
            ["HostIp": .string(address), "HostPort": .string(port.isNull ? "" : port.pythonText)]
        }
        guard let parts = target.arrayValue else {
            guard let text = target.stringValue, let colon = text.lastIndex(of: ":") else {
                return [binding("", target)]
            }
            return [binding(String(text[..<colon]), .string(String(text[text.index(after: colon)...])))]
        }
        // An address and a port form a pair, which JSON writes as a list of two elements.
        if parts.count == 2, let address = parts[0].stringValue, address.contains(where: { $0 == "." || $0 == ":" }),
            parts[1].intValue != nil
        {
            return [binding(address, parts[1])]
        }
        return parts.flatMap(bindings)
    }
}
