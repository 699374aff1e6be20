internal import OrderedCollections
internal import PrefectJSON

/// A value that a source holds for a setting.
enum SettingInput: Sendable, Hashable {
    /// The text of an environment variable.
    case text(String)
    /// A value with its own type: from TOML, or from JSON in an environment variable. Dates are strings.
    case typed(JSONValue)
}

/// Converts the value in a source into the value of a setting, by Prefect's rules for each kind.
struct SettingParser {
    /// The user's home directory, for `~`.
    var userHome: String
    /// Prefect's home directory, for `$PREFECT_HOME`.
    var prefectHome: String

    /// The error for a value that is not of its kind.
    struct Rejection: Error, Hashable {
        /// A detail that the kind's expectation does not contain.
        var detail: String?
    }

    /// The value; `nil` if the source states in its own way that it holds none, as JSON's `null` does.
    func value(of input: SettingInput, as kind: SettingKind) throws(Rejection) -> SettingValue? {
        let input = try decoded(input, as: kind)
        switch kind {
        case .bool: return .bool(try bool(input))
        case .int(let bounds): return .int(try int(input, in: bounds))
        case .float(let bounds): return .float(try double(input, in: bounds))
        case .string: return .string(try string(input))
        case .secret: return .secret(Secret(try string(input)))
        case .path: return .string(SettingText.path(try string(input)))
        case .home:
            return .string(SettingText.path(SettingText.expandingHome(try string(input), userHome: userHome)))
        case .profilesPath:
            let path = try string(input).replacing("$PREFECT_HOME", with: prefectHome)
            return .string(SettingText.path(path))
        case .logLevel:
            return .string(
                try choice(try string(input).uppercased(), of: PrefectSettings.LogLevel.allCases.map(\.name)))
        case .choice(let words): return .string(try choice(try string(input), of: words))
        case .duration: return .duration(try duration(input, textMayBeSeconds: false))
        case .seconds(let above):
            let duration = try duration(input, textMayBeSeconds: true)
            if let above, duration <= above { throw Rejection() }
            return .duration(duration)
        case .statusCodes: return isNull(input) ? nil : .statusCodes(try statusCodes(input))
        case .stringSet: return isNull(input) ? nil : .list(try stringSet(input))
        case .stringMap: return isNull(input) ? nil : .stringMap(try stringMap(input))
        case .durationMap: return isNull(input) ? nil : .durationMap(try durationMap(input))
        case .retryDelay: return isNull(input) ? nil : try retryDelay(input)
        case .retryDelayList: return isNull(input) ? nil : try retryDelayList(input)
        case .switchOrSet: return isNull(input) ? nil : try switchOrSet(input)
        case .anything: return try anything(input)
        }
    }

    /// Reads JSON where the kind may be written as JSON: in any text of the environment, and for maps also in TOML
    /// strings.
    private func decoded(_ input: SettingInput, as kind: SettingKind) throws(Rejection) -> SettingInput {
        let text: String
        switch input {
        case .text(let value) where kind.acceptsJSON: text = value
        case .typed(.string(let value)) where kind.isMap: text = value
        default: return input
        }
        do {
            let value = try JSONValue(parsing: text)
            // Some tools quote a map as a JSON string that contains JSON.
            if kind.isMap, case .string(let inner) = value { return .typed(try JSONValue(parsing: inner)) }
            return .typed(value)
        } catch {
            if kind.isMap { throw Rejection(detail: error.description) }
            return input
        }
    }

    private func isNull(_ input: SettingInput) -> Bool { input == .typed(.null) }

    private func text(of input: SettingInput) -> String? {
        switch input {
        case .text(let text), .typed(.string(let text)): text
        case .typed: nil
        }
    }

    private func string(_ input: SettingInput) throws(Rejection) -> String {
        guard let text = text(of: input) else { throw Rejection() }
        return text
    }

    private func choice(_ word: String, of words: [String]) throws(Rejection) -> String {
        guard words.contains(word) else { throw Rejection() }
        return word
    }

    private func bool(_ input: SettingInput) throws(Rejection) -> Bool {
        let value: Bool? =
            switch input {
            case .text(let text), .typed(.string(let text)): SettingText.bool(text)
            case .typed(.bool(let value)): value
            case .typed(.int(let value)): value == 0 ? false : value == 1 ? true : nil
            case .typed(.double(let value)): value == 0 ? false : value == 1 ? true : nil
            case .typed: nil
            }
        guard let value else { throw Rejection() }
        return value
    }

    private func int(_ input: SettingInput, in bounds: SettingBounds = .none) throws(Rejection) -> Int {
        let value: Int? =
            switch input {
            case .text(let text), .typed(.string(let text)): SettingText.int(text)
            case .typed(.bool(let value)): value ? 1 : 0
            case .typed(.int(let value)): value
            case .typed(.double(let value)): Int(exactly: value)
            case .typed: nil
            }
        guard let value, bounds.contains(Double(value)) else { throw Rejection() }
        return value
    }

    private func double(_ input: SettingInput, in bounds: SettingBounds = .none) throws(Rejection) -> Double {
        let value: Double? =
            switch input {
            case .text(let text), .typed(.string(let text)): SettingText.double(text)
            case .typed(.bool(let value)): value ? 1 : 0
            case .typed(.int(let value)): Double(value)
            case .typed(.bigInteger(let digits)): Double(digits)
            case .typed(.double(let value)): value
            case .typed: nil
            }
        guard let value, bounds.contains(value) else { throw Rejection() }
        return value
    }

    private func duration(_ input: SettingInput, textMayBeSeconds: Bool) throws(Rejection) -> Duration {
        let value: Duration?
        if let text = text(of: input) {
            let seconds = textMayBeSeconds ? SettingText.double(text) : nil
            value = seconds.flatMap { Duration(checkedSeconds: $0) } ?? Duration(settingText: text)
        } else {
            value = Duration(checkedSeconds: try double(input))
        }
        guard let value else { throw Rejection() }
        return value
    }
}

// MARK: - Collections

extension SettingParser {
    /// Whether Python would treat the value as false. Prefect reads such a value as an empty set.
    private func isFalsy(_ input: SettingInput) -> Bool {
        switch input {
        case .text(let text), .typed(.string(let text)): text.isEmpty
        case .typed(.bool(let value)): !value
        case .typed(.int(let value)): value == 0
        case .typed(.double(let value)): value == 0
        case .typed(.array(let elements)): elements.isEmpty
        case .typed(.object(let members)): members.isEmpty
        case .typed: false
        }
    }

    private func pieces(_ text: String) -> [String] {
        text.split(separator: ",", omittingEmptySubsequences: false).map { SettingText.trimmed($0) }
    }

    private func statusCodes(_ input: SettingInput) throws(Rejection) -> Set<Int> {
        if isFalsy(input) { return [] }
        let elements: [SettingInput] =
            if let text = text(of: input) {
                pieces(text).map { .text($0) }
            } else if case .typed(.array(let values)) = input {
                values.map { .typed($0) }
            } else {
                [input]
            }
        var codes: Set<Int> = []
        for element in elements { codes.insert(try int(element, in: .between(100, 599))) }
        return codes
    }

    private func stringSet(_ input: SettingInput) throws(Rejection) -> [String] {
        if isFalsy(input) { return [] }
        if let text = text(of: input) { return SettingText.sortedUnique(pieces(text)) }
        return SettingText.sortedUnique(try strings(input))
    }

    private func strings(_ input: SettingInput) throws(Rejection) -> [String] {
        guard case .typed(.array(let elements)) = input else { throw Rejection() }
        var strings: [String] = []
        for element in elements { strings.append(try string(.typed(element))) }
        return strings
    }

    private func members(_ input: SettingInput) throws(Rejection) -> OrderedDictionary<String, JSONValue> {
        guard case .typed(.object(let members)) = input else { throw Rejection() }
        return members
    }

    private func stringMap(_ input: SettingInput) throws(Rejection) -> OrderedDictionary<String, String> {
        var map: OrderedDictionary<String, String> = [:]
        for (name, value) in try members(input) {
            guard let text = value.stringValue else {
                throw Rejection(detail: "the value of '\(name)' is not a string")
            }
            map[name] = text
        }
        return map
    }

    private func durationMap(_ input: SettingInput) throws(Rejection) -> OrderedDictionary<String, Duration> {
        var map: OrderedDictionary<String, Duration> = [:]
        for (name, value) in try members(input) {
            let duration: Duration
            do {
                duration = try self.duration(.typed(value), textMayBeSeconds: true)
            } catch {
                throw Rejection(detail: "the value of '\(name)' is not a time span")
            }
            guard duration > .zero else { throw Rejection(detail: "the value of '\(name)' is not positive") }
            map[name] = duration
        }
        return map
    }

    private func switchOrSet(_ input: SettingInput) throws(Rejection) -> SettingValue {
        if let text = text(of: input) {
            switch SettingText.trimmed(text).lowercased() {
            case "true", "1": return .bool(true)
            case "false", "0", "": return .bool(false)
            default: return .list(SettingText.sortedUnique(pieces(text).filter { !$0.isEmpty }))
            }
        }
        if case .typed(.array) = input { return .list(SettingText.sortedUnique(try strings(input))) }
        return .bool(try bool(input))
    }
}

// MARK: - Retry delays and free values

extension SettingParser {
    private func delays(_ elements: [SettingInput]) throws(Rejection) -> SettingValue {
        var numbers: [String] = []
        for element in elements { numbers.append(try double(element).pythonDescription) }
        return .list(SettingText.sorted(numbers))
    }

    private func retryDelay(_ input: SettingInput) throws(Rejection) -> SettingValue {
        switch input {
        case .typed(.array(let elements)): return try delays(elements.map { .typed($0) })
        case .typed(.double(let value)): return .float(value)
        case .text(let text), .typed(.string(let text)):
            if let value = SettingText.int(text) { return .int(value) }
            return .float(try double(input))
        case .typed: return .int(try int(input))
        }
    }

    private func retryDelayList(_ input: SettingInput) throws(Rejection) -> SettingValue? {
        guard let text = text(of: input) else { return try retryDelay(input) }
        let numbers = pieces(text).filter { !$0.isEmpty }
        switch numbers.count {
        case 0: return nil
        case 1: return .float(try double(.text(numbers[0])))
        default: return try delays(numbers.map { .text($0) })
        }
    }

    private func anything(_ input: SettingInput) throws(Rejection) -> SettingValue? {
        switch input {
        case .text(let text), .typed(.string(let text)): return .string(text)
        case .typed(.null): return nil
        case .typed(.bool(let value)): return .bool(value)
        case .typed(.int(let value)): return .int(value)
        case .typed(.double(let value)): return .float(value)
        case .typed(.bigInteger(let digits)): return .string(digits)
        case .typed(.object): return .string(input.json.serialized(.python))
        case .typed(.array(let elements)):
            return .list(SettingText.sorted(elements.map { $0.stringValue ?? $0.serialized(.python) }))
        }
    }
}

extension SettingInput {
    /// The input as JSON.
    var json: JSONValue {
        switch self {
        case .text(let text): .string(text)
        case .typed(let value): value
        }
    }

    /// The input as it may be shown to a user: on one line, and cut if it is long.
    var quoted: String {
        let text = json.serialized(JSONStyle.compact)
        return text.count <= 60 ? text : text.prefix(57) + "..."
    }
}
