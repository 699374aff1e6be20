/// The action that follows from a response with a redirect status.
///
/// Redirects are followed here and not by libcurl, so that each hop uses the proxy configured for its own host. A
/// request to another origin carries no body and only neutral headers, none about a user or the worker. A request whose
/// method may have a body is not redirected to another origin at all.
enum Redirect {
    case none
    case follow(HTTPRequest, ParsedURL)
    case refused(String)

    static let limit = 20

    /// The headers that contain no information about a user.
    private static let neutral = ["Accept", "Accept-Encoding", "User-Agent"]

    /// - Parameters:
    ///   - request: The request that was sent to `url` and answered with `head`.
    ///   - hops: The number of redirects followed before.
    static func next(after head: HTTPResponse.Head, to request: HTTPRequest, at url: ParsedURL, hops: Int) -> Redirect {
        guard request.followRedirects, [301, 302, 303, 307, 308].contains(head.status),
            let location = head.headers["Location"], !location.isEmpty
        else { return .none }
        guard hops < limit else { return .refused("more than \(limit) redirects") }
        guard let target = url.resolving(location) else {
            return .refused("the server redirects to something that is not an HTTP URL")
        }
        let sameOrigin = target.hasSameOrigin(as: url)
        guard sameOrigin || request.unixSocketPath == nil else {
            return .refused("the server behind the socket redirects to another host")
        }
        guard sameOrigin || request.method == .get || request.method == .head else {
            return .refused(
                "\(url.origin) redirects a \(request.method.rawValue) to another origin, \(target.origin), which is "
                    + "not followed; if that origin is correct, use it in the URL")
        }

        var next = request
        next.url = target.text
        let losesBody =
            switch head.status {
            case 303: request.method != .head
            case 301, 302: request.method == .post
            default: false
            }
        if losesBody {
            next.method = .get
            next.body = .none
            for name in ["Content-Type", "Content-Encoding", "Content-Language", "Content-Location"] {
                next.headers.remove(name)
            }
        }
        if !sameOrigin {
            next.headers = HTTPHeaders(
                request.headers.filter { field in neutral.contains { field.name.equalsIgnoringCase($0) } })
            next.body = .none
            next.tls = nil
        }
        // User and password in the first URL are for its origin only, like the header made from them.
        let url = sameOrigin ? target.withCredentials(of: url) : target
        return .follow(next, url)
    }
}
