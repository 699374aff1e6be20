import Foundation
import TestSupport
import Testing

/// The files that `make dist` has made, and a GPG key of the test.
struct ReleaseFiles: Sendable {
    /// The path of the Debian package.
    let package: String
    /// The directory of the test.
    let directory: String

    /// The directory of the release.
    var made: String { (package as NSString).deletingLastPathComponent }

    /// Why the package cannot be put into a repository; `nil` if it can.
    static let packageObstacle: String? = {
        guard ProcessInfo.processInfo.environment["TEST_PACKAGE"] != nil else {
            return "needs a Debian package of the worker, as `make deb` makes it, at TEST_PACKAGE"
        }
        return ["gpg", "apt-ftparchive", "dpkg-deb"]
            .first { !FileManager.default.isExecutableFile(atPath: "/usr/bin/\($0)") }
            .map { "needs the program \($0)" }
    }()

    /// Why the files of a release cannot be tested; `nil` if they can.
    static let obstacle: String? = {
        let package = (ProcessInfo.processInfo.environment["TEST_PACKAGE"] ?? "") as NSString
        let files = [
            package.deletingLastPathComponent + "/SHA256SUMS", Documentation.root + "/.build/release/prefect-worker",
        ]
        return packageObstacle
            ?? files.first { !FileManager.default.fileExists(atPath: $0) }
            .map { "needs \($0), as `make dist` makes it" }
    }()

    /// Runs a script of Bash in the directory of the test, and returns its lines. The script must succeed. In it,
    /// `$package` is the path of the package, `$made` the directory of the release, and `$root` that of the sources.
    @discardableResult
    func run(_ script: String, timeout: Duration = .seconds(240)) async throws -> [String] {
        let outcome = try await outcome(script, timeout: timeout)
        try #require(outcome.status == .exited(0), "\(script): \(outcome.text)")
        return outcome.output
    }

    /// Runs a script of Bash, see ``run(_:timeout:)``. The script may fail.
    func outcome(_ script: String, timeout: Duration = .seconds(240)) async throws -> WorkerProgram.Outcome {
        let variables = [
            "package": package, "made": made, "root": Documentation.root, "GNUPGHOME": "\(directory)/gpg",
            "DIST_KEY": "release@example.com",
        ]
        return try await withChildProcess(
            "bash", ["-euo", "pipefail", "-c", script], extraEnvironment: variables, workingDirectory: directory
        ) { child in
            let status = try await child.waitForExit(timeout: timeout)
            return WorkerProgram.Outcome(status: status, output: child.output, errors: child.errors)
        }
    }
}

/// Runs a test with the files of a release and a new key without a passphrase.
@discardableResult
func withReleaseFiles<Result>(_ body: (ReleaseFiles) async throws -> Result) async throws -> Result {
    let package = try #require(ProcessInfo.processInfo.environment["TEST_PACKAGE"])
    return try await withTemporaryDirectory { directory in
        let release = ReleaseFiles(package: package, directory: directory)
        try await release.run(
            """
            install -d -m 700 gpg
            gpg --batch --quiet --passphrase '' --quick-generate-key "$DIST_KEY" ed25519 sign never
            """)
        do {
            let result = try await body(release)
            try await release.run("gpgconf --kill all")
            return result
        } catch {
            _ = try? await release.outcome("gpgconf --kill all")
            throw error
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, with the reason, unless `make dist` has made the files of a release.
    static var releaseFiles: Self {
        .enabled(if: ReleaseFiles.obstacle == nil, Comment(rawValue: ReleaseFiles.obstacle ?? ""))
    }
}
