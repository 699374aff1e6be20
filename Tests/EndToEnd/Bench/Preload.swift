import Foundation
import TestSupport
import Testing

/// Libraries that are preloaded into the program under test, to cause events that are otherwise too rare.
enum Preload {
    /// The path of a C compiler; Swift includes one.
    static let compiler: String? = {
        let directories = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        for name in ["cc", "clang", "gcc"] {
            for directory in directories where FileManager.default.isExecutableFile(atPath: "\(directory)/\(name)") {
                return "\(directory)/\(name)"
            }
        }
        return nil
    }()
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, with the reason, without a C compiler. The test compiles a library and preloads it.
    static var compiler: Self { .enabled(if: Preload.compiler != nil, "needs a C compiler on the PATH") }
}

extension Preload {
    /// Compiles a C file of the tests into a library for preloading, and returns its path.
    static func compile(_ name: String, in directory: String) async throws -> String {
        let source = try #require(Bundle.module.url(forResource: "Resources/\(name)", withExtension: "c")).path
        let library = "\(directory)/\(name).so"
        let status = try await withChildProcess(
            try #require(Preload.compiler), ["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source],
            environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"],
            workingDirectory: directory
        ) { try await $0.waitForExit(timeout: .seconds(60)) }
        try #require(status == .exited(0))
        return library
    }
}

extension TestBench {
    /// Compiles a C file of the tests into a library for preloading, and returns its path.
    func compileShared(_ name: String) async throws -> String { try await Preload.compile(name, in: directory) }
}
