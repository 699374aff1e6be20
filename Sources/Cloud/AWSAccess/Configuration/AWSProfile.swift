/// One profile of the files that all programs for AWS share.
struct AWSProfile: Sendable, Hashable {
    /// The profile's name.
    let name: String
    /// The values of the file of credentials, which take precedence in a search for keys.
    let credentials: [String: String]
    /// The values of the file of configurations.
    let configuration: [String: String]
    /// The section of the profile's services.
    let services: [String: String]
    /// The section of the profile's single sign-on session.
    let session: [String: String]?

    subscript(key: String) -> String? { configuration[key] ?? credentials[key] }

    /// The URL that the profile's section of services has for one.
    func endpoint(of service: String) -> String? { services["\(service).endpoint_url"] }
}

/// The files of profiles.
struct AWSProfileFiles: Sendable {
    private let configuration: [String: [String: String]]
    private let credentials: [String: [String: String]]
    /// The paths of the files, for messages.
    let configurationPath: String
    let credentialsPath: String

    /// Reads the files that an environment names.
    init(environment: [String: String]) {
        let home = environment["HOME"].map { "\($0)/.aws" } ?? ".aws"
        func path(_ variable: String, _ usual: String) -> String {
            guard let path = environment[variable], !path.isEmpty else { return "\(home)/\(usual)" }
            return path.hasPrefix("~/") ? (environment["HOME"] ?? "") + path.dropFirst() : path
        }
        configurationPath = path("AWS_CONFIG_FILE", "config")
        credentialsPath = path("AWS_SHARED_CREDENTIALS_FILE", "credentials")
        configuration = Self.sections(AWSSurroundings.text(ofFile: configurationPath) ?? "")
        credentials = Self.sections(AWSSurroundings.text(ofFile: credentialsPath) ?? "")
    }

    /// A profile; `nil` when no file has it.
    func profile(named name: String) -> AWSProfile? {
        let configured = configuration["profile \(name)"] ?? (name == "default" ? configuration["default"] : nil)
        let keys = credentials[name]
        guard configured != nil || keys != nil else { return nil }
        return AWSProfile(
            name: name, credentials: keys ?? [:], configuration: configured ?? [:],
            services: configured?["services"].flatMap { configuration["services \($0)"] } ?? [:],
            session: configured?["sso_session"].map { configuration["sso-session \($0)"] ?? [:] })
    }

    /// The sections of a file, each with its keys. A nested key has the name of its parent before it.
    static func sections(_ text: String) -> [String: [String: String]] {
        var sections: [String: [String: String]] = [:]
        var section = ""
        var parent = ""
        for line in text.split(whereSeparator: \.isNewline) {
            let trimmed = line.trimmingBlanks
            guard let first = trimmed.first, first != "#", first != ";" else { continue }
            if first == "[" {
                let name = trimmed.dropFirst().prefix { $0 != "]" }
                section = name.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                sections[section] = sections[section] ?? [:]
                parent = ""
                continue
            }
            guard let equals = trimmed.firstIndex(of: "=") else { continue }
            let key = trimmed[..<equals].trimmingBlanks.lowercased()
            let value = String(trimmed[trimmed.index(after: equals)...].trimmingBlanks)
            let isNested = line.first?.isWhitespace == true && !parent.isEmpty
            if !isNested { parent = value.isEmpty ? key : "" }
            sections[section, default: [:]][isNested ? "\(parent).\(key)" : key] = value
        }
        return sections
    }
}

extension StringProtocol where SubSequence == Substring {
    /// The text without blanks at its ends.
    var trimmingBlanks: Substring {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
