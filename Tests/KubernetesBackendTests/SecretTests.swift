import BackendKit
import BackendKitTesting
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

@testable import KubernetesBackend

@Suite("Secrets of jobs")
struct SecretTests {
    @Test("each credential in clear text in a manifest causes one warning with the setting that prevents it")
    func credentialsInClear() async throws {
        let prefix = "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_"
        let job: JSONValue = ["env": ["PREFECT_API_AUTH_STRING": "u:swordfish", "PREFECT_API_KEY": "pnu_swordfish"]]
        try await withWorkbench { bench in
            for claim in ["claim-1", "claim-2"] { _ = try await bench.job(job, claim: claim).start() }
            #expect(bench.log.messages().count == 2)
            for part in ["PREFECT_API_AUTH_STRING", "\(prefix)API_AUTH_STRING_SECRET_NAME", "PREFECT_API_KEY"] {
                #expect(bench.log.messages().contains { $0.contains(part) })
            }
            #expect(!bench.log.messages().contains { $0.contains("swordfish") })
        }
        let kept = [
            [
                "\(prefix)API_AUTH_STRING_SECRET_NAME": "auth", "\(prefix)API_AUTH_STRING_SECRET_KEY": "k",
                "\(prefix)CREATE_SECRET_FOR_API_KEY": "true",
            ],
            ["\(prefix)STORE_ENV_AS_SECRET": "true"],
        ]
        for variables in kept {
            try await withWorkbench(environment: variables) { bench in
                _ = try await bench.job(job).start()
                #expect(bench.log.messages().isEmpty)
            }
        }
    }

    @Test("a job's secret is created before the job, belongs to it, and is removed if it is refused")
    func secrets() async throws {
        let variables = ["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_STORE_ENV_AS_SECRET": "true"]
        try await withWorkbench(environment: variables) { bench in
            let job = try bench.job(["env": ["WORD": "plover"]])
            _ = try await job.start()
            let name = bench.jobName
            let secret = try #require(bench.api.object("secrets", "\(name)-env"))
            #expect(secret["stringData"]?["WORD"] == "plover")
            #expect(secret["metadata"]?["ownerReferences"]?[0]?["name"]?.stringValue == name)
            #expect(bench.api.object("jobs", name)?.serialized().contains("plover") == false)
            let order = bench.api.requests.filter { $0.method == "POST" }.map { $0.path.split(separator: "/").last }
            #expect(order == ["secrets", "jobs"])
            bench.api.fail(RequestPattern(method: "POST", path: "*/jobs"), .answer(422, message: "no"))
            await #expect(throws: InfrastructureError.self) {
                try await bench.job(["env": ["WORD": "plover"]], run: "run-2", claim: "claim-2").start()
            }
            #expect(bench.api.names(of: "secrets").count == 1)
        }
    }

    @Test(
        "a job's secret is removed after its run, with only the rights to create, update and delete secrets",
        arguments: ["CREATE_SECRET_FOR_API_KEY", "STORE_ENV_AS_SECRET"])
    func secretsEnd(setting: String) async throws {
        let variables = ["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_\(setting)": "true"]
        try await withWorkbench(environment: variables) { bench in
            bench.api.forbid("get secrets", "list secrets", "patch secrets")
            let job = try bench.job(["env": ["PREFECT_API_KEY": "k"]])
            let identifier = try await job.start()
            let secret = try #require(bench.api.names(of: "secrets").first)
            #expect(bench.api.object("secrets", secret)?["metadata"]?["ownerReferences"]?[0]?["kind"] == "Job")
            #expect(bench.reporter.lines.isEmpty)
            bench.api.fail(RequestPattern(method: "DELETE", path: "*/secrets/*"), .answer(503))
            await job.cleanUp(identifier)
            #expect(bench.api.names(of: "secrets").isEmpty)
            #expect(bench.api.names(of: "jobs").count == 1)
        }
    }

    @Test("a job whose secret exists from an attempt with a lost answer gets its own values")
    func secretOfEarlierAttempt() async throws {
        let variables = ["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_STORE_ENV_AS_SECRET": "true"]
        try await withWorkbench(environment: variables) { bench in
            let name = "otter-\(JobName.suffix(claimID: "claim-1"))-env"
            bench.api.put("secrets", ["metadata": ["name": .string(name)], "stringData": ["WORD": "old"]])
            _ = try await bench.job(["env": ["WORD": "new"]]).start()
            #expect(bench.api.object("secrets", name)?["stringData"]?["WORD"] == "new")
        }
    }
}
