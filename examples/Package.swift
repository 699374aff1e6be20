// swift-tools-version: 6.1
import PackageDescription

let settings: [SwiftSetting] = [.swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny")]

func product(_ name: String) -> Target.Dependency { .product(name: name, package: "prefect-worker") }

// Programs that use the package from outside, through its public products alone.
let package = Package(
    name: "prefect-worker-examples",
    dependencies: [
        .package(name: "prefect-worker", path: ".."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        // A backend of somebody else's.
        .target(
            name: "RemoteShellBackend",
            dependencies: [
                product("BackendKit"), product("JobTemplates"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            path: "backend/Sources", swiftSettings: settings),
        // A worker with that backend.
        .executableTarget(
            name: "remote-shell-worker",
            dependencies: ["RemoteShellBackend", product("PrefectClient"), product("WorkerKit")],
            path: "backend/Program", swiftSettings: settings),
        .testTarget(
            name: "RemoteShellBackendTests",
            dependencies: ["RemoteShellBackend", product("BackendKit"), product("BackendKitTesting")],
            path: "backend/Tests", swiftSettings: settings),
        // A program that embeds the worker.
        .executableTarget(
            name: "embed", dependencies: [product("PrefectClient"), product("ProcessBackend"), product("WorkerKit")],
            path: "embed/Sources/embed", swiftSettings: settings),
        // Small programs that use the API.
        .executableTarget(
            name: "trigger-deployment", dependencies: [product("PrefectClient")], path: "client/trigger",
            swiftSettings: settings),
        .executableTarget(
            name: "report-failures", dependencies: [product("PrefectClient")], path: "client/report",
            swiftSettings: settings),
        .executableTarget(
            name: "rotate-limit", dependencies: [product("PrefectClient")], path: "client/rotate",
            swiftSettings: settings),
        .executableTarget(
            name: "first-run", dependencies: [product("PrefectClient")], path: "client/first",
            swiftSettings: settings),
        // The code of the articles about the API.
        .target(
            name: "ClientArticles", dependencies: [product("PrefectClient")], path: "client/Articles",
            swiftSettings: settings),
        // Runs the programs against the server that PREFECT_API_URL names, one of them with the worker.
        .testTarget(
            name: "ClientExampleTests",
            dependencies: [
                "first-run", "report-failures", "rotate-limit", "trigger-deployment", product("PrefectClient"),
                product("prefect-worker"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            path: "client/Tests", swiftSettings: settings),
        // A few lines for each product, and the other code of the article "Embed the worker".
        .target(
            name: "Products",
            dependencies: [
                product("BackendKit"), product("BackendKitTesting"), product("DockerBackend"), product("JobTemplates"),
                product("KubernetesBackend"), product("PrefectClient"), product("ProcessBackend"),
                product("SystemdBackend"), product("WorkerKit"), .product(name: "Logging", package: "swift-log"),
            ],
            path: "embed/Sources/products", swiftSettings: settings),
    ]
)
