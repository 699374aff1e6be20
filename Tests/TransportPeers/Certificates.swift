import FoundationEssentials
import Glibc
package import HTTPTransport

/// A certificate authority and certificates that it has signed, created with the `openssl` command.
package struct Certificates: Sendable {
    package let directory: String

    package static let isPossible: Bool = {
        guard ChildProcess.isInstalled("openssl") else { return false }
        // The certificates are created before any test runs, because their creation blocks threads of the pool.
        _ = shared
        return true
    }()

    /// The certificates for all tests, created once and removed when the process exits.
    package static let shared: Result<Certificates, any Error> = Result {
        let certificates = try Certificates()
        atexit {
            if let made = try? Certificates.shared.get() { try? FileManager.default.removeItem(atPath: made.directory) }
        }
        return certificates
    }

    private init() throws {
        directory = try TemporaryDirectory().path
        let authority = make("ca", subject: "/CN=Test authority", extensions: [], signed: false)
        let server = make(
            "server", subject: "/CN=server", extensions: ["subjectAltName=IP:127.0.0.1,DNS:localhost"])
        let named = make("named", subject: "/CN=named", extensions: ["subjectAltName=DNS:api.cluster.test"])
        let client = make("client", subject: "/CN=a client", extensions: [])
        guard authority, server, named, client else { throw SystemError(operation: "openssl") }
    }

    private func make(_ name: String, subject: String, extensions: [String], signed: Bool = true) -> Bool {
        var arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", subject, "-keyout", path(name + ".key"), "-out", path(name + ".pem"),
        ]
        for text in extensions { arguments += ["-addext", text] }
        if signed { arguments += ["-CA", path("ca.pem"), "-CAkey", path("ca.key")] }
        return ChildProcess.run(arguments)
    }

    package func path(_ name: String) -> String { directory + "/" + name }

    package func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(filePath: path(name))))
    }

    package var trusted: TLSConfiguration { TLSConfiguration(authorities: .file(path("ca.pem"))) }
}

/// `openssl s_server`, which answers every GET with a page about the connection.
package struct TLSServer {
    package let port: Int
    private let process: ChildProcess

    package init(_ certificates: Certificates, certificate: String = "server", demandsClientCertificate: Bool = false)
        throws
    {
        var arguments = [
            "openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-cert", certificates.path(certificate + ".pem"),
            "-key", certificates.path(certificate + ".key"),
        ]
        if demandsClientCertificate {
            arguments += ["-Verify", "1", "-verify_return_error", "-CAfile", certificates.path("ca.pem")]
        }
        process = try ChildProcess(arguments)
        guard let line = process.waitForLine(beginningWith: "ACCEPT"),
            let port = line.split(separator: ":").last.flatMap({ Int($0) })
        else {
            process.kill()
            throw SystemError(operation: "openssl s_server")
        }
        self.port = port
    }

    package var url: String { "https://127.0.0.1:\(port)/" }

    package func stop() {
        process.kill()
    }
}
