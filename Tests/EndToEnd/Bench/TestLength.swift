import Foundation

/// The length of the tests that are the better the longer they take.
enum TestLength {
    /// Whether these tests are to be short, because continuous integration runs them (`CI=true`).
    static let isShort = ProcessInfo.processInfo.environment["CI"] == "true"
}
