import Crypto
import FoundationEssentials
import HealthServer

/// The page at `/` of the status server: one document without assets of other origins, which shows `/status`.
enum StatusPage {
    /// The route of the page.
    static let route = StatusRoute(path: "/") { answer }

    private static let answer: RouteAnswer = {
        let style = text(PackageResources.page_css)
        let script = text(PackageResources.page_js)
        let html = text(PackageResources.page_html).replacing("{{ style }}", with: style)
            .replacing("{{ script }}", with: script)
        var answer = RouteAnswer(status: 200, contentType: "text/html; charset=utf-8", body: html)
        answer.headers = [
            // The hashes admit these two texts only. So a name that became HTML by mistake could execute nothing.
            "Content-Security-Policy": """
            default-src 'none'; style-src '\(hash(style))'; script-src '\(hash(script))'; connect-src 'self'; \
            img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
            """,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        ]
        return answer
    }()

    private static func text(_ resource: [UInt8]) -> String { String(decoding: resource, as: UTF8.self) }

    private static func hash(_ text: String) -> String {
        "sha256-\(Data(SHA256.hash(data: Array(text.utf8))).base64EncodedString())"
    }
}
