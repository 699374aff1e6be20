/// What follows from a redirecting answer.
///
/// Redirects are followed here and not by libcurl, so that each hop gets the proxy its own host asks for, and
/// credentials stay with the origin they are meant for.
enum Redirect {
    case none
    case follow(HTTPRequest, ParsedURL)
    case refused(String)

    static let limit = 20

    /// - Parameters:
    ///   - request: what was sent to `url` and answered by `head`.
    ///   - hops: how many redirects were followed before.
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
            for name in ["Authorization", "Cookie", "Proxy-Authorization", "Host"] {
                next.headers.remove(name)
            }
        }
        // User and password in the first URL belong to its origin, like the header made from them.
        let url = sameOrigin ? target.withCredentials(of: url) : target
        return .follow(next, url)
    }
}
