internal import BackendKit

/// One entry of the job variable `volumes`: `/container`, `host:container` or `host:container:ro|rw`. The part `host`
/// is the name of a volume or a path of the Engine's host.
struct VolumeMount: Sendable, Hashable {
    /// The entry as written, without surrounding whitespace.
    let text: String
    /// The volume or the path, and the text after it; `nil` for a volume without a name.
    private let source: Source?

    private struct Source: Hashable {
        let host: String
        let rest: String
    }

    /// Reads an entry. Throws an error of the kind `refused` that names the entry.
    init(_ entry: String) throws(InfrastructureError) {
        let trimmed = entry.drop(while: \.isWhitespace)
        text = trimmed.lastIndex { !$0.isWhitespace }.map { String(trimmed[...$0]) } ?? ""
        func refusal(_ problem: String) -> InfrastructureError {
            InfrastructureError(
                .refused,
                "The volume '\(entry)' \(problem); write /container, name:/container[:ro|:rw] or "
                    + "/host/path:/container[:ro|:rw]")
        }
        let drive = Self.drive(text)
        let parts = text.dropFirst(drive.count).split(separator: ":", omittingEmptySubsequences: false)
            .map(String.init)
        let host = drive + (parts.first ?? "")
        guard !text.isEmpty else { throw refusal("is empty") }
        if parts.count == 1 {
            guard text.hasPrefix("/"), text != "/" else { throw refusal("names no path in the container") }
            source = nil
            return
        }
        guard parts.count <= 3 else { throw refusal("has too many colons") }
        if parts.count == 3, parts[2] != "ro", parts[2] != "rw" {
            throw refusal("has an option other than ro or rw")
        }
        guard !host.isEmpty else { throw refusal("has no source before the colon") }
        guard !parts[1].isEmpty else { throw refusal("names no path in the container") }
        if Self.isPath(host) {
            guard parts[1].hasPrefix("/") else { throw refusal("has a container path that is not absolute") }
        } else {
            guard Self.isName(host) else {
                throw refusal(
                    "names the volume '\(host)', but only letters, digits, '_', '.' and '-' are allowed (no shell "
                        + "expressions like $(pwd))")
            }
        }
        source = Source(host: host, rest: parts.dropFirst().joined(separator: ":"))
    }

    /// The entry of `HostConfig.Binds`; `nil` for a volume without a name. A relative path starts from `directory`.
    func bind(relativeTo directory: String) -> String? {
        guard let source else { return nil }
        guard source.host.hasPrefix(".") else { return text }
        var components = directory.split(separator: "/").map(String.init)
        for component in source.host.split(separator: "/") {
            switch component {
            case ".": continue
            case "..": _ = components.popLast()
            default: components.append(String(component))
            }
        }
        return "/\(components.joined(separator: "/")):\(source.rest)"
    }

    /// The path of the mount in the container.
    var target: String { source.map { String($0.rest.prefix { $0 != ":" }) } ?? text }

    /// The drive of a Windows path, whose colon is not a separator.
    private static func drive(_ text: String) -> String {
        let start = text.prefix(3)
        guard start.count == 3, start.first?.isLetter == true, start.dropFirst().hasPrefix(":\\") else { return "" }
        return String(start)
    }

    private static func isPath(_ host: String) -> Bool {
        host.hasPrefix("/") || host.hasPrefix("\\\\") || !drive(host).isEmpty || host == "." || host == ".."
            || host.hasPrefix("./") || host.hasPrefix("../")
    }

    private static func isName(_ host: String) -> Bool {
        func isWord(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: false
            }
        }
        guard let first = host.utf8.first, isWord(first) else { return false }
        return host.utf8.allSatisfy { isWord($0) || "_.-".utf8.contains($0) }
    }
}
