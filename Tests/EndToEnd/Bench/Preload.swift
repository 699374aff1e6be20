import Foundation
import TestSupport
import Testing

/// Libraries that are loaded into the program under test, to make happen what would happen too rarely by itself.
enum Preload {
    /// The C compiler: one comes with Swift.
    static let compiler: String? = {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        for name in ["cc", "clang", "gcc"] {
            for folder in folders where FileManager.default.isExecutableFile(atPath: "\(folder)/\(name)") {
                return "\(folder)/\(name)"
            }
        }
        return nil
    }()
}

extension Trait where Self == ConditionTrait {
    /// The test preloads a library, which has to be compiled.
    static var compiler: Self { .enabled(if: Preload.compiler != nil, "needs a C compiler on the PATH") }
}

extension TestBench {
    /// Compiles a C file of the tests into a library that can be preloaded, and returns its path.
    func compileShared(_ name: String) async throws -> String {
        let source = try #require(Bundle.module.url(forResource: "Resources/\(name)", withExtension: "c")).path
        let library = "\(folder)/\(name).so"
        let status = try await withChildProcess(
            try #require(Preload.compiler), ["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source],
            environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"],
            workingDirectory: folder
        ) { try await $0.waitForExit(timeout: .seconds(60)) }
        try #require(status == .exited(0))
        return library
    }
}
