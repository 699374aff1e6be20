import FoundationEssentials
import HTTPTransport
import PrefectJSON
import TestSupport
import Testing

@testable import KubernetesBackend

@Suite("A real API server", .requires(.kubernetes))
struct RealClusterTests {
    @Test("requests and watches of a real API server use HTTP/2")
    func http2() async throws {
        let environment = ProcessInfo.processInfo.environment
        let access = try ClusterAccess.surroundings(environment: environment, serviceAccount: "/nowhere")
        let client = try KubernetesClient(access, environment: environment)
        let deadlines = Deadlines(connect: .seconds(10), firstByte: .seconds(30), idle: .seconds(30))
        let list = try await client.open(.get, Resource.jobs.path(namespace: "default"), deadlines: deadlines)
        #expect(list.version == .http2)
        let watch = try await client.open(
            .get, Resource.pods.path(namespace: "default"), query: [("watch", "true"), ("timeoutSeconds", "1")],
            deadlines: deadlines)
        #expect(watch.version == .http2)
        #expect(try await client.call(.get, "/version")["gitVersion"] != nil)
    }
}
