import BackendKit
import CloudRunBackend
import Foundation
import PrefectJSON
import Testing
import VertexAIBackend

@Suite("Checks of the pools on Google Cloud", .timeLimit(.minutes(1)))
struct CheckTests {
    private func report(
        _ type: any Backend.Type, granting permissions: [String]
    ) async throws -> (report: BackendReport, writes: [String]) {
        try await withDirectory { directory in
            let google = try FakeGoogle { request in
                if request.path.hasSuffix("/token") { return .json(["access_token": "t", "expires_in": 3600]) }
                if request.path.hasSuffix(":testIamPermissions") {
                    return .json(["permissions": .array(permissions.map(JSONValue.string))])
                }
                return .json([:])
            }
            defer { google.stop() }
            let path = "\(directory)/key.json"
            try Data(TestAccount.file(tokenURL: "\(google.url)/token").serializedBytes()).write(
                to: URL(filePath: path))
            var environment = ["GOOGLE_APPLICATION_CREDENTIALS": path]
            for service in ["RUN", "AIPLATFORM", "CLOUDRESOURCEMANAGER", "IAM"] {
                environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_\(service)"] = google.url
            }
            let backend = try type.init(host: BackendHost(environment: environment, stateDirectory: directory))
            let report = await backend.check()
            let writes = google.requests.filter { $0.method != "GET" }.map(\.path)
                .filter { !$0.hasSuffix("/token") && !$0.hasSuffix(":testIamPermissions") }
            return (report, writes)
        }
    }

    @Test(
        "a check names the identity and the missing permissions, and creates nothing",
        arguments: [CloudRunBackend.self, CloudRunV2Backend.self, VertexAIBackend.self] as [any Backend.Type])
    func missing(_ type: any Backend.Type) async throws {
        let (report, writes) = try await report(type, granting: ["run.jobs.get", "aiplatform.customJobs.get"])
        let text = report.findings.map(\.detail).joined(separator: "\n")
        #expect(text.contains("worker@a-project.iam.gserviceaccount.com in project 'a-project'"))
        #expect(text.contains(type == VertexAIBackend.self ? "aiplatform.customJobs.create" : "run.jobs.create"))
        #expect(!report.isUsable && report.problem == nil && writes == [])
    }

    @Test("a check finds a worker with all permissions usable")
    func usable() async throws {
        let all = ["create", "get", "list", "cancel"].map { "aiplatform.customJobs.\($0)" }
        let (report, _) = try await report(VertexAIBackend.self, granting: all + ["iam.serviceAccounts.actAs"])
        #expect(report.isUsable, "\(report.findings.filter { !$0.isGood }.map(\.detail))")
        let (other, _) = try await self.report(VertexAIBackend.self, granting: all)
        #expect(other.findings.contains { $0.detail.contains("lacks iam.serviceAccounts.actAs") })
    }
}
