import BackendKit
import JobTemplates
import OrderedCollections
import PrefectClient
import PrefectJSON
import PrefectREST
import Synchronization
import TestSupport
import Testing

@testable import ECSBackend

@Suite("The configuration of ECS tasks")
struct ConfigurationTests {
    @Test(
        "configurations from which no task can be made are refused in one line",
        arguments: [
            (["container_name": "x", "image": "i"], ""),
            (["configure_cloudwatch_logs": true], "execution_role_arn"),
            (["cloudwatch_logs_options": ["mode": "x"]], "configure_cloudwatch_logs"),
            (["network_configuration": ["subnets": ["s"]]], "vpc_id"),
            (["capacity_provider_strategy": [["weight": 1]]], "capacityProvider"),
            (["cluster": 7], "'cluster' should be a string"),
            (["cloudwatch_logs_options": ["mode": 1]], "cloudwatch_logs_options.mode"),
            (["aws_credentials": ["region_name": "no region!"]], "no name of an AWS region"),
        ] as [(JSONValue, String)])
    func refusals(variables: JSONValue, part: String) async throws {
        let message = try await ECSBench().refusal(variables)
        #expect(part.isEmpty ? message.isEmpty : message.contains(part), "\(message)")
        #expect(!message.contains("\n"))
    }

    @Test("task definitions from templates of users are checked")
    func definitions() throws {
        func refusal(_ definition: JSONValue, _ request: JSONValue = [:]) -> String {
            do {
                _ = try ECSConfiguration(
                    rendered: ["task_definition": definition, "task_run_request": request], isComplete: true)
                return ""
            } catch {
                return error.message
            }
        }
        #expect(refusal([:]).contains("task_definition_arn"))
        #expect(refusal(["containerDefinitions": "x"]).contains("should be a list"))
        #expect(refusal(["containerDefinitions": ["x"]]).contains("is no object"))
        #expect(refusal(["containerDefinitions": [["name": "a", "essential": false]]]).contains("essential"))
        #expect(refusal([:], ["taskDefinition": "mine:3"]) == "")
    }

    @Test("a definition that does not fit its launch type is refused before anything runs")
    func compatibility() throws {
        func refusal(_ definition: JSONValue, _ request: JSONValue) -> String {
            do {
                let configuration = try ECSConfiguration(
                    rendered: ["task_definition": ["x": 1], "task_run_request": request], isComplete: true)
                try Compatibility.check(configuration, with: definition)
                return ""
            } catch {
                return error.message
            }
        }
        let fargate: JSONValue = ["launchType": "FARGATE"]
        #expect(refusal(["requiresCompatibilities": ["EC2"]], fargate).contains("does not have 'FARGATE'"))
        #expect(refusal(["networkMode": "bridge"], fargate).contains("network mode 'bridge'"))
        #expect(refusal(["requiresCompatibilities": ["EC2"]], [:]) == "")
        let two: JSONValue = [
            "cpu": "1024", "containerDefinitions": [["name": "prefect", "cpu": 512], ["name": "side", "cpu": 256]],
        ]
        #expect(refusal(two, fargate) == "")
        let override: JSONValue = ["containerOverrides": [["name": "prefect", "cpu": 1024]]]
        #expect(refusal(two, ["launchType": "FARGATE", "overrides": override]).contains("1280 of cpu"))
    }

    @Test("tags have the characters and the number that AWS accepts")
    func tags() async throws {
        let bench = try ECSBench()
        let many = JSONValue.object(
            OrderedDictionary(uniqueKeysWithValues: (0..<60).map { ("label-\($0)", JSONValue.string("x")) }))
        for (labels, part) in [(many, "AWS accepts 50"), (["aws:x": "1"], "does not begin with 'aws:'")] {
            let specification = try await bench.specification(["labels": labels])
            let client = try bench.client(specification)
            let error = await #expect(throws: RemoteTaskError.self) {
                try await client.create(specification, for: ECSBench.key())
            }
            #expect(error?.kind == .refused && error?.message.contains(part) == true, "\(error?.message ?? "")")
        }
        #expect(TaskRunRequest.slug("Wörker  Ünï/1") == "W-rker-n-/1")
    }

    @Test("a definition with a secret gets no value in clear for it")
    func secrets() async throws {
        let bench = try ECSBench()
        bench.account.state.withLock { state in
            state.definitions = [
                [
                    "taskDefinitionArn": "mine:1", "family": "mine", "status": "ACTIVE", "networkMode": "awsvpc",
                    "containerDefinitions": [
                        ["name": "prefect", "secrets": [["name": "PREFECT_API_KEY", "valueFrom": "arn:s"]]]
                    ],
                ]
            ]
        }
        let specification = try await bench.specification([
            "task_definition_arn": "mine:1", "env": ["PREFECT_API_KEY": "clear", "A": "b"], "image": "ignored",
        ])
        _ = try await bench.client(specification).create(specification, for: ECSBench.key())
        let request = bench.server.calls.last { $0.operation == "RunTask" }?.parameters.serialized() ?? ""
        #expect(!request.contains("clear") && request.contains("\"A\""))
        #expect(specification.description["ignored_job_variables"] == ["image"])
    }

    @Test("settings of the Python worker are read, and invalid ones have one line each")
    func settings() throws {
        let prefix = "PREFECT_INTEGRATIONS_AWS_ECS_"
        let settings = ECSSettings(
            IntegrationSettings(environment: [
                "\(prefix)OBSERVER_ENABLED": "false", "\(prefix)OBSERVER_FORWARD_CRASHED_RUN_LOGS_MAX_EVENTS": "20000",
                "\(prefix)WORKER_CREATE_TASK_RUN_MAX_ATTEMPTS": "5",
                "\(prefix)WORKER_REGISTER_TASK_DEFINITION_MAX_ATTEMPTS": "x",
            ]))
        #expect(settings.queueName == nil && settings.creationRetries.limit == 4 && settings.crashedLogLines == 500)
        #expect(settings.warnings.count == 2 && settings.registrationRetries.limit == 2)
        #expect(ECSSettings(IntegrationSettings(environment: [:])).queueName == "prefect-ecs-tasks-events")
        let keys = ECSBackend.traits.settings.compactMap(\.key)
        #expect(keys.contains("integrations.aws.ecs.observer.sqs.queue_name"))
        #expect(keys.contains("integrations.aws.ecs.worker.create_task_run_max_attempts"))
    }

    @Test("a template of an earlier version is accepted")
    func earlierTemplate() throws {
        let configuration = try ECSConfiguration(
            rendered: [
                "task_definition": ["containerDefinitions": [["image": "i"]]],
                "task_run_request": ["launchType": "FARGATE"],
                "task_start_timeout_seconds": 300, "stream_output": nil,
            ], isComplete: true)
        #expect(configuration.json["task_watch_poll_interval"] == 5.0 && configuration.configuresLogs == nil)
    }
}
