// swift-tools-version: 6.1
import PackageDescription

/// A product of the worker's package. Another repository names the package by its URL, in place of the path below.
func product(_ name: String) -> Target.Dependency { .product(name: name, package: "prefect-worker") }

let package = Package(
    name: "embed",
    dependencies: [
        .package(name: "prefect-worker", path: "../.."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        // A program that embeds the worker.
        .executableTarget(
            name: "embed", dependencies: ["PrefectAPI", "ProcessBackend", "Worker"].map(product)),
        // A few lines for each product, and the code of the article "Embed the worker".
        .target(
            name: "products",
            dependencies: [
                "BackendKit", "BackendKitTesting", "DockerBackend", "JobTemplates", "KubernetesBackend", "PrefectAPI",
                "ProcessBackend", "SystemdBackend", "Worker",
            ].map(product) + [.product(name: "Logging", package: "swift-log")]),
    ]
)
