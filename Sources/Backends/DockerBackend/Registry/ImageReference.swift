/// The name of an image in the usual notation: `registry:5000/path/name:tag` or `name@sha256:…`.
struct ImageReference: Sendable, Hashable {
    /// The name with its registry, without the tag.
    let name: String
    /// The tag, or the digest; `nil` when neither is given.
    let tag: String?

    init(_ text: String) {
        let start = text.lastIndex(of: "/").map { text.index(after: $0) } ?? text.startIndex
        if let at = text[start...].firstIndex(of: "@") {
            // A digest takes precedence over a tag.
            let rest = text[..<at]
            let colon = rest[start...].firstIndex(of: ":")
            name = String(rest[..<(colon ?? rest.endIndex)])
            tag = String(text[text.index(after: at)...])
        } else if let colon = text[start...].firstIndex(of: ":") {
            name = String(text[..<colon])
            tag = String(text[text.index(after: colon)...])
        } else {
            (name, tag) = (text, nil)
        }
    }

    /// Whether the name may refer to a different image at each pull.
    var isMoving: Bool { tag == nil || tag?.isEmpty == true || tag == "latest" }

    /// The registry's host, with its port; `docker.io` for Docker Hub.
    var registry: String {
        guard let slash = name.firstIndex(of: "/") else { return Self.hub }
        let first = name[..<slash]
        let isHost = first.contains(".") || first.contains(":") || first == "localhost"
        return isHost && first != "index.docker.io" ? String(first) : Self.hub
    }

    static let hub = "docker.io"
    /// The address of Docker Hub in Docker's configuration.
    static let hubServer = "https://index.docker.io/v1/"
}
