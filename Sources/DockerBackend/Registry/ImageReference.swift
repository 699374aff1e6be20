/// The name of an image, as it is written where images are named: `registry:5000/path/name:tag` or `name@sha256:…`.
struct ImageReference: Sendable, Hashable {
    /// The name with its registry, without the tag.
    let name: String
    /// The tag, or the digest; `nil` when neither is given.
    let tag: String?

    init(_ text: String) {
        let start = text.lastIndex(of: "/").map { text.index(after: $0) } ?? text.startIndex
        if let at = text[start...].firstIndex(of: "@") {
            // A digest decides, whatever tag is beside it.
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

    /// Whether it may mean another image at every pull.
    var isMoving: Bool { tag == nil || tag?.isEmpty == true || tag == "latest" }

    /// The registry's host, with its port; that of Docker Hub is `docker.io`.
    var registry: String {
        guard let slash = name.firstIndex(of: "/") else { return Self.hub }
        let first = name[..<slash]
        let isHost = first.contains(".") || first.contains(":") || first == "localhost"
        return isHost && first != "index.docker.io" ? String(first) : Self.hub
    }

    static let hub = "docker.io"
    /// What Docker's configuration knows Docker Hub by.
    static let hubServer = "https://index.docker.io/v1/"
}
