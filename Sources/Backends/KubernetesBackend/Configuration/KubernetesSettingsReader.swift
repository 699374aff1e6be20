internal import OrderedCollections
internal import PrefectClient
internal import PrefectJSON

/// Reads settings of Prefect's Kubernetes integration, in the forms that Prefect accepts, and records the problem of
/// each invalid one.
struct KubernetesSettingsReader {
    let settings: IntegrationSettings
    private(set) var warnings: [String] = []

    init(settings: IntegrationSettings) { self.settings = settings }

    private func found(_ setting: KubernetesSetting) -> IntegrationSettings.Found? {
        let found = settings.found(setting.variables)
        return found?.value == "" ? nil : found
    }

    mutating func text(_ setting: KubernetesSetting) -> String? {
        guard let found = found(setting) else { return nil }
        guard let text = found.value.stringValue else { return warn(setting, found) }
        return text
    }

    mutating func flag(_ setting: KubernetesSetting) -> Bool? {
        guard let found = found(setting) else { return nil }
        switch found.value {
        case .bool(let value): return value
        case .int(0): return false
        case .int(1): return true
        default:
            guard let flag = found.value.stringValue.flatMap(SettingText.bool) else { return warn(setting, found) }
            return flag
        }
    }

    mutating func number(_ setting: KubernetesSetting, least: Double) -> Double? {
        guard let found = found(setting) else { return nil }
        let number = found.value.doubleValue ?? found.value.stringValue.flatMap { Double($0) }
        guard let number, (least...86_400).contains(number) else {
            return warn(setting, found)
        }
        return number
    }

    /// Reads names: a list, a list written as JSON, or a text with commas between the names.
    mutating func names(_ setting: KubernetesSetting) -> Set<String>? {
        guard let found = found(setting) else { return nil }
        let value = Self.decoded(found.value, "[")
        let names = value.stringValue.map(Self.parts) ?? value.arrayValue?.map { $0.stringValue ?? "" }
        guard let names, !names.contains("") else { return warn(setting, found) }
        return Set(names)
    }

    /// Reads names and their values: a table, a table written as JSON, or a text like `a=1,b=2`.
    mutating func pairs(_ setting: KubernetesSetting) -> [String: String]? {
        guard let found = found(setting) else { return nil }
        let value = Self.decoded(found.value, "{")
        var pairs: [String: String] = [:]
        for (key, member) in value.objectValue ?? [:] {
            guard let text = member.stringValue else { return warn(setting, found) }
            pairs[key] = text
        }
        guard value.objectValue == nil else { return pairs }
        guard let text = value.stringValue else { return warn(setting, found) }
        for part in Self.parts(text) {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2, !sides[0].isEmpty else { return warn(setting, found) }
            pairs[Self.trimmed(sides[0])] = Self.trimmed(sides[1])
        }
        return pairs
    }

    private static func parts(_ text: String) -> [String] {
        text.split(separator: ",", omittingEmptySubsequences: false).map { trimmed($0) }
    }

    private static func trimmed(_ text: Substring) -> String {
        String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }

    /// The JSON value in a text that begins like JSON; otherwise the given value.
    private static func decoded(_ value: JSONValue, _ beginning: String) -> JSONValue {
        guard let text = value.stringValue, text.hasPrefix(beginning) else { return value }
        return (try? JSONValue(parsing: Array(text.utf8))) ?? value
    }

    private mutating func warn<Value>(_ setting: KubernetesSetting, _ found: IntegrationSettings.Found) -> Value? {
        warnings.append(
            "\(setting.variables[0]) should be \(setting.expectation) (set by \(found.source)): its default applies; "
                + "correct it")
        return nil
    }
}
