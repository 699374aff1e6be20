// swift-tools-version: 6.1
import PackageDescription

// The program that `client.py` measures. A package of its own, so that it builds the client alone.
let package = Package(
    name: "client-benchmark",
    dependencies: [.package(name: "prefect-worker", path: "../../..")],
    targets: [
        .executableTarget(
            name: "client-benchmark", dependencies: [.product(name: "PrefectClient", package: "prefect-worker")],
            path: "Sources", swiftSettings: [.swiftLanguageMode(.v6)])
    ]
)
