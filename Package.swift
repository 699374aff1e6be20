// swift-tools-version: 6.1
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let orderedCollections = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")
let dequeModule = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let tracing = Target.Dependency.product(name: "Tracing", package: "swift-distributed-tracing")
let nio = ["NIOCore", "NIOPosix"].map { Target.Dependency.product(name: $0, package: "swift-nio") }

let package = Package(
    name: "prefect-worker",
    products: [
        .executable(name: "prefect-worker", targets: ["prefect-worker"]),
        .library(name: "PrefectClient", targets: ["PrefectClient"]),
        .library(name: "JobTemplates", targets: ["JobTemplates"]),
        .library(name: "BackendKit", targets: ["BackendKit"]),
        .library(name: "BackendKitTesting", targets: ["BackendKitTesting"]),
        .library(name: "WorkerKit", targets: ["WorkerKit"]),
        .library(name: "ProcessBackend", targets: ["ProcessBackend"]),
        .library(name: "DockerBackend", targets: ["DockerBackend"]),
        .library(name: "KubernetesBackend", targets: ["KubernetesBackend"]),
        .library(name: "SystemdBackend", targets: ["SystemdBackend"]),
        .library(name: "ECSBackend", targets: ["ECSBackend"]),
        .library(name: "CloudRunBackend", targets: ["CloudRunBackend"]),
        .library(name: "VertexAIBackend", targets: ["VertexAIBackend"]),
        .library(name: "ContainerInstancesBackend", targets: ["ContainerInstancesBackend"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        // The paths of swift-subprocess.
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        // Without its traits it leaves out what only its router and its configuration files need.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        // Without its trait it needs no Foundation.
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        // Sources are ordered by floors: a target depends on those of lower floors. `FloorTests` checks that.
        .target(name: "Hashing", path: "Sources/Base/Hashing", swiftSettings: settings),
        .target(name: "Notation", path: "Sources/Base/Notation", swiftSettings: settings),
        .target(
            name: "PrefectJSON", dependencies: ["Notation", orderedCollections], path: "Sources/Base/PrefectJSON",
            swiftSettings: settings),
        .target(
            name: "PrefectTOML", dependencies: ["PrefectJSON", orderedCollections], path: "Sources/Base/PrefectTOML",
            swiftSettings: settings),
        // C boundaries.
        .target(name: "CPrefectCurl", path: "Sources/C/CPrefectCurl", linkerSettings: [.linkedLibrary("curl")]),
        .target(name: "CInit", path: "Sources/C/CInit"),
        .target(name: "CLinux", path: "Sources/C/CLinux"),
        .target(
            name: "PrefectFiles", dependencies: ["CLinux", "Notation"], path: "Sources/Base/PrefectFiles",
            swiftSettings: settings),
        .target(
            name: "PrefectConcurrency", dependencies: ["CLinux"], path: "Sources/Base/PrefectConcurrency",
            swiftSettings: settings),
        .target(
            name: "HelperPrograms",
            dependencies: [
                "PrefectConcurrency", .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Sources/Base/HelperPrograms", swiftSettings: settings),
        .target(name: "CSQLite", path: "Sources/C/CSQLite", linkerSettings: [.linkedLibrary("sqlite3")]),
        .target(name: "CYAML", path: "Sources/C/CYAML", linkerSettings: [.linkedLibrary("yaml")]),
        .target(name: "CSystemd", path: "Sources/C/CSystemd", linkerSettings: [.linkedLibrary("systemd")]),
        // From the wire upwards.
        .target(
            name: "HTTPTransport", dependencies: ["CPrefectCurl"], path: "Sources/Transport/HTTPTransport",
            swiftSettings: settings),
        .target(
            name: "PrefectWebSocket", dependencies: ["HTTPTransport", "Hashing"],
            path: "Sources/Transport/PrefectWebSocket",
            swiftSettings: settings),
        .target(
            name: "PrefectREST", dependencies: ["PrefectConcurrency", "HTTPTransport", "PrefectJSON"],
            path: "Sources/Transport/PrefectREST", swiftSettings: settings),
        .target(
            name: "PrefectClient",
            dependencies: [
                "PrefectConcurrency", "HTTPTransport", "PrefectJSON", "Notation", "PrefectREST", "PrefectTOML",
                "PrefectWebSocket",
                orderedCollections,
                dequeModule, coreMetrics, logging,
            ],
            path: "Sources/Prefect/PrefectClient", swiftSettings: settings),
        .target(
            name: "JobTemplates", dependencies: ["PrefectJSON", "Notation", orderedCollections],
            path: "Sources/Prefect/JobTemplates",
            swiftSettings: settings),
        // The contract of a backend, and the parts that backends share.
        .target(
            name: "BackendKit",
            dependencies: [
                "PrefectConcurrency", "PrefectFiles", "PrefectJSON", "JobTemplates", "Notation", "PrefectClient",
                orderedCollections, logging,
            ],
            swiftSettings: settings),
        // The conformance suite for backends.
        .target(
            name: "BackendKitTesting",
            dependencies: ["BackendKit", "PrefectConcurrency", "PrefectJSON", "JobTemplates"], swiftSettings: settings),
        .target(
            name: "WorkerKit",
            dependencies: [
                "BackendKit", "CLinux", "CSQLite", "Hashing", "PrefectConcurrency", "PrefectFiles", "HTTPTransport",
                "PrefectJSON", "JobTemplates",
                "Notation",
                "PrefectClient", orderedCollections, logging, coreMetrics, tracing,
            ],
            swiftSettings: settings),
        // Backends: none knows another.
        .target(
            name: "ProcessBackend",
            dependencies: [
                "CLinux", "PrefectConcurrency", "PrefectFiles", "PrefectJSON", "JobTemplates", "BackendKit",
                orderedCollections, coreMetrics, logging,
            ],
            path: "Sources/Backends/ProcessBackend", swiftSettings: settings),
        .target(
            name: "DockerBackend",
            dependencies: [
                "CLinux", "PrefectConcurrency", "PrefectFiles", "HTTPTransport", "HelperPrograms", "PrefectJSON",
                "JobTemplates",
                "PrefectClient", "PrefectREST", "BackendKit", "Notation", orderedCollections, logging,
            ],
            path: "Sources/Backends/DockerBackend", swiftSettings: settings),
        .target(
            name: "KubernetesBackend",
            dependencies: [
                "CYAML", "PrefectConcurrency", "HTTPTransport", "Hashing", "HelperPrograms", "PrefectJSON",
                "JobTemplates",
                "PrefectClient", "PrefectREST", "BackendKit", "Notation", orderedCollections, logging,
            ],
            path: "Sources/Backends/KubernetesBackend", swiftSettings: settings),
        .target(
            name: "SystemdBackend",
            dependencies: [
                "CLinux", "PrefectConcurrency", "PrefectFiles", "PrefectJSON", "JobTemplates", "Systemd", "BackendKit",
                "Notation",
                orderedCollections,
                logging,
            ],
            path: "Sources/Backends/SystemdBackend", swiftSettings: settings),
        // The clouds: credentials, signatures and endpoints, which backends of one cloud share.
        .target(
            name: "AWSAccess",
            dependencies: [
                "PrefectConcurrency", "PrefectFiles", "HTTPTransport", "Hashing", "HelperPrograms", "PrefectJSON",
                "Notation", "PrefectClient",
                "PrefectREST", "BackendKit", orderedCollections, logging,
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            path: "Sources/Cloud/AWSAccess", swiftSettings: settings),
        .target(
            name: "GoogleAccess",
            dependencies: [
                "PrefectConcurrency", "HTTPTransport", "HelperPrograms", "PrefectJSON", "JobTemplates", "Notation",
                "PrefectClient",
                "PrefectREST", "BackendKit", orderedCollections, logging,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            path: "Sources/Cloud/GoogleAccess", swiftSettings: settings),
        .target(
            name: "AzureAccess",
            dependencies: [
                "PrefectConcurrency", "HTTPTransport", "HelperPrograms", "PrefectJSON", "PrefectREST",
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            path: "Sources/Cloud/AzureAccess", swiftSettings: settings),
        .target(
            name: "ECSBackend",
            dependencies: [
                "AWSAccess", "BackendKit", "PrefectConcurrency", "PrefectFiles", "HTTPTransport", "Hashing",
                "PrefectJSON", "JobTemplates",
                "Notation", "PrefectClient", "PrefectREST", orderedCollections, logging,
            ],
            path: "Sources/Backends/ECSBackend", swiftSettings: settings),
        .target(
            name: "CloudRunBackend",
            dependencies: [
                "GoogleAccess", "BackendKit", "PrefectConcurrency", "HTTPTransport", "PrefectJSON", "JobTemplates",
                "Notation",
                "PrefectClient", "PrefectREST", orderedCollections, logging,
            ],
            path: "Sources/Backends/CloudRunBackend", swiftSettings: settings),
        .target(
            name: "VertexAIBackend",
            dependencies: [
                "GoogleAccess", "BackendKit", "PrefectConcurrency", "HTTPTransport", "PrefectJSON", "JobTemplates",
                "Notation",
                "PrefectClient", "PrefectREST", orderedCollections, logging,
            ],
            path: "Sources/Backends/VertexAIBackend", swiftSettings: settings),
        .target(
            name: "ContainerInstancesBackend",
            dependencies: [
                "AzureAccess", "BackendKit", "PrefectConcurrency", "HTTPTransport", "PrefectJSON", "JobTemplates",
                "PrefectREST",
                orderedCollections, logging,
            ],
            path: "Sources/Backends/ContainerInstancesBackend", swiftSettings: settings),
        // The daemon's surroundings.
        .target(
            name: "HealthServer",
            dependencies: [
                "PrefectJSON", .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"), logging,
            ] + nio,
            path: "Sources/Transport/HealthServer", swiftSettings: settings),
        .target(
            name: "Systemd", dependencies: ["CLinux", "CSystemd", "PrefectConcurrency"], path: "Sources/Base/Systemd",
            swiftSettings: settings),
        .target(
            name: "WorkerLogging",
            dependencies: ["PrefectConcurrency", "PrefectJSON", "Systemd", orderedCollections, logging],
            path: "Sources/Base/WorkerLogging", swiftSettings: settings),
        .target(
            name: "WorkerMetrics", dependencies: [coreMetrics], path: "Sources/Base/WorkerMetrics",
            swiftSettings: settings),
        .target(
            name: "WorkerTelemetry",
            dependencies: [
                "PrefectConcurrency", "HTTPTransport", "PrefectJSON", "Notation", "PrefectREST", "WorkerMetrics",
                orderedCollections, logging, tracing,
            ],
            path: "Sources/Transport/WorkerTelemetry", swiftSettings: settings),
        .executableTarget(
            name: "prefect-worker",
            dependencies: [
                "BackendKit", "CInit", "CLinux", "CloudRunBackend", "PrefectConcurrency", "ContainerInstancesBackend",
                "DockerBackend", "ECSBackend", "HTTPTransport", "HealthServer", "PrefectFiles", "PrefectJSON",
                "PrefectREST",
                "VertexAIBackend",
                "JobTemplates",
                "KubernetesBackend", "PrefectClient", "ProcessBackend", "Systemd", "SystemdBackend", "WorkerKit",
                "WorkerLogging", "WorkerMetrics", "WorkerTelemetry", coreMetrics, logging, orderedCollections, tracing,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            resources: [
                .embedInCode("Status/Page/page.html"), .embedInCode("Status/Page/page.css"),
                .embedInCode("Status/Page/page.js"),
            ],
            swiftSettings: settings),
        // Tests: a scriptable Prefect API, a fault proxy and tools, then one folder a target.
        .target(
            name: "TestSupport",
            dependencies: [
                "PrefectJSON", "TransportPeers", orderedCollections, logging,
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ] + nio,
            path: "Tests/Support", swiftSettings: settings),
        .testTarget(
            name: "SupportTests", dependencies: ["PrefectJSON", "TestSupport", orderedCollections],
            swiftSettings: settings),
        .testTarget(
            name: "ConcurrencyTests", dependencies: ["PrefectConcurrency", "TestSupport"], swiftSettings: settings),
        .testTarget(name: "NotationTests", dependencies: ["Notation"], swiftSettings: settings),
        .testTarget(name: "JSONTests", dependencies: ["PrefectJSON", orderedCollections], swiftSettings: settings),
        // Servers on real sockets, scripted by blocking code, and independent peers.
        .target(
            name: "TransportPeers", dependencies: ["HTTPTransport"], path: "Tests/TransportPeers",
            swiftSettings: settings),
        .testTarget(
            name: "HTTPTransportTests", dependencies: ["HTTPTransport", "TransportPeers"], swiftSettings: settings),
        .testTarget(
            name: "WebSocketTests", dependencies: ["HTTPTransport", "Hashing", "TransportPeers", "PrefectWebSocket"],
            swiftSettings: settings),
        .testTarget(
            name: "RESTClientTests", dependencies: ["HTTPTransport", "PrefectJSON", "PrefectREST", "TransportPeers"],
            swiftSettings: settings),
        .testTarget(
            name: "PrefectClientTests",
            dependencies: [
                "PrefectConcurrency", "HTTPTransport", "PrefectJSON", "PrefectClient", "PrefectREST", "PrefectTOML",
                "TestSupport", "TransportPeers", "PrefectWebSocket",
                "WorkerMetrics", orderedCollections, coreMetrics,
            ],
            resources: [.copy("Vectors/client_vectors_shown.json")], swiftSettings: settings),
        // The conformance suite as a program, so that it can also run on another machine.
        .executableTarget(
            name: "backend-conformance",
            dependencies: [
                "BackendKit", "BackendKitTesting", "CloudRunBackend", "ContainerInstancesBackend", "DockerBackend",
                "ECSBackend", "PrefectJSON", "KubernetesBackend", "PrefectClient", "ProcessBackend", "SystemdBackend",
                "VertexAIBackend",
            ],
            path: "Tests/ConformanceProgram", swiftSettings: settings),
        .testTarget(
            name: "BackendKitTests",
            dependencies: [
                "BackendKit", "BackendKitTesting", "PrefectConcurrency", "PrefectJSON", "JobTemplates", "PrefectClient",
                "TestSupport",
                logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "WorkerTests",
            dependencies: [
                "BackendKit",
                "PrefectConcurrency", "HTTPTransport", "PrefectJSON", "JobTemplates", "PrefectClient", "TestSupport",
                "WorkerKit",
                "WorkerMetrics", "BackendKitTesting", orderedCollections, logging, coreMetrics, tracing,
                .product(name: "InMemoryTracing", package: "swift-distributed-tracing"),
            ],
            resources: [.copy("Resources")], swiftSettings: settings),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "PrefectJSON", "TestSupport", "WorkerKit", "backend-conformance", "prefect-worker", orderedCollections,
            ],
            path: "Tests/EndToEnd", resources: [.copy("Resources")], swiftSettings: settings),
        .testTarget(
            name: "JobTemplatesTests",
            dependencies: [
                "DockerBackend", "PrefectJSON", "JobTemplates", "KubernetesBackend", "ProcessBackend",
                orderedCollections,
            ],
            resources: [.copy("Vectors")], swiftSettings: settings),
        .testTarget(
            name: "ProcessBackendTests",
            dependencies: [
                "PrefectFiles", "PrefectJSON", "JobTemplates", "ProcessBackend", "TestSupport", "BackendKit",
                "BackendKitTesting",
                orderedCollections,
            ],
            resources: [.copy("Resources")], swiftSettings: settings),
        .testTarget(
            name: "DockerBackendTests",
            dependencies: [
                "DockerBackend", "HTTPTransport", "PrefectJSON", "JobTemplates", "TestSupport", "BackendKit",
                "BackendKitTesting", "PrefectConcurrency", "PrefectClient", orderedCollections,
            ],
            resources: [.copy("Resources")], swiftSettings: settings),
        .testTarget(
            name: "KubernetesBackendTests",
            dependencies: [
                "PrefectConcurrency", "HTTPTransport", "PrefectJSON", "JobTemplates", "KubernetesBackend",
                "PrefectREST",
                "TestSupport", "BackendKit",
                "BackendKitTesting", "WorkerMetrics", orderedCollections,
            ],
            resources: [.copy("Resources")], swiftSettings: settings),
        .testTarget(
            name: "SystemdBackendTests",
            dependencies: [
                "PrefectJSON", "JobTemplates", "Systemd", "SystemdBackend", "WorkerKit", "BackendKit",
                "BackendKitTesting",
                orderedCollections,
            ],
            swiftSettings: settings),
        // The golden inputs and outputs of the Python workers for the clouds.
        .testTarget(
            name: "CloudGoldensTests",
            dependencies: [
                "AWSAccess", "AzureAccess", "BackendKit", "BackendKitTesting", "CloudRunBackend",
                "ContainerInstancesBackend", "ECSBackend", "GoogleAccess", "HTTPTransport", "PrefectJSON",
                "JobTemplates",
                "PrefectClient", "PrefectREST", "TestSupport", "VertexAIBackend", orderedCollections,
            ],
            resources: [.copy("Vectors")], swiftSettings: settings),
        .testTarget(
            name: "AWSTests",
            dependencies: [
                "AWSAccess", "BackendKit", "BackendKitTesting", "PrefectConcurrency", "ECSBackend", "HTTPTransport",
                "PrefectJSON",
                "JobTemplates", "PrefectClient", "PrefectREST", "TestSupport", orderedCollections, logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "GoogleTests",
            dependencies: [
                "GoogleAccess", "BackendKit", "BackendKitTesting", "CloudRunBackend", "PrefectConcurrency",
                "HTTPTransport",
                "PrefectJSON", "JobTemplates", "PrefectClient", "PrefectREST", "TestSupport", "TransportPeers",
                "VertexAIBackend",
                orderedCollections, logging, .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            resources: [.copy("Vectors")], swiftSettings: settings),
        .testTarget(
            name: "AzureTests",
            dependencies: [
                "AzureAccess", "BackendKit", "BackendKitTesting", "PrefectConcurrency", "ContainerInstancesBackend",
                "HTTPTransport", "PrefectJSON", "JobTemplates", "PrefectClient", "PrefectREST", "TestSupport",
                "TransportPeers",
                orderedCollections, logging, .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "HealthServerTests",
            dependencies: [
                "HealthServer", "TestSupport", logging,
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        .testTarget(name: "SystemdTests", dependencies: ["Systemd"], swiftSettings: settings),
        .testTarget(
            name: "WorkerLoggingTests", dependencies: ["PrefectJSON", "Systemd", "WorkerLogging", logging],
            swiftSettings: settings),
        .testTarget(
            name: "WorkerMetricsTests", dependencies: ["WorkerMetrics", coreMetrics], swiftSettings: settings),
        .testTarget(
            name: "WorkerTelemetryTests",
            dependencies: [
                "WorkerTelemetry", "HTTPTransport", "WorkerMetrics", "PrefectJSON", "TestSupport", "TransportPeers",
                logging,
                coreMetrics, tracing, orderedCollections,
            ],
            swiftSettings: settings),
    ]
)
