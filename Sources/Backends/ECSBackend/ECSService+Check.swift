internal import AWSAccess
public import BackendKit
internal import OrderedCollections
internal import PrefectJSON
internal import PrefectREST

extension ECSService {
    /// The fields of a job configuration that decide where its tasks run.
    private static let checkedFields: Set<String> = [
        "aws_credentials", "cluster", "task_definition", "task_run_request", "vpc_id", "network_configuration",
        "container_name", "prefect_api_key_secret_arn", "prefect_api_auth_string_secret_arn", "execution_role_arn",
        "configure_cloudwatch_logs",
    ]

    /// Checks the identity, the clusters, the networks and the permissions for the jobs of pools. Creates nothing.
    public func check(_ pools: [PoolJobs]) async -> BackendReport {
        var findings: [BackendReport.Finding] = []
        var jobs: OrderedDictionary<ECSPlace, [(configuration: ECSConfiguration, source: String)]> = [:]
        for pool in pools {
            do {
                for part in try await pool.parts(Self.checkedFields) {
                    // A configuration that is not valid is skipped, because its runs report the cause.
                    guard let configuration = try? ECSConfiguration(rendered: part.fields, isComplete: false) else {
                        continue
                    }
                    jobs[try place(of: configuration), default: []].append((configuration, part.source))
                }
            } catch {
                findings.append(
                    .init(subject: "jobs", detail: "\(error)", isGood: false, isPartial: error is InfrastructureError))
            }
        }
        if pools.isEmpty {
            do {
                let configuration = try ECSConfiguration(rendered: [:], isComplete: false)
                jobs[try place(of: configuration)] = [(configuration, "")]
            } catch {
                return BackendReport(findings: [.init(subject: "AWS", detail: error.message, isGood: false)])
            }
        }
        var known: Set<AWSConfiguration> = []
        for (place, configurations) in jobs {
            do {
                let client = try client(at: place)
                let check = PlaceCheck(
                    client: client, jobs: configurations, environment: environment, isFirst: jobs.count == 1)
                if known.insert(place.credentials).inserted {
                    let identity = await check.identity()
                    findings.append(identity)
                    guard identity.isGood else { continue }
                }
                findings += await check.findings()
            } catch {
                findings.append(.init(subject: "AWS", detail: "\(error)", isGood: false, isPartial: jobs.count > 1))
            }
        }
        return BackendReport(findings: findings)
    }
}

/// The checks of one cluster.
private struct PlaceCheck: Sendable {
    let client: ECSClient
    let jobs: [(configuration: ECSConfiguration, source: String)]
    let environment: [String: String]
    /// Whether a failure concerns all jobs.
    let isFirst: Bool

    private var place: ECSPlace { client.place }
    private typealias Finding = BackendReport.Finding

    func identity() async -> BackendReport.Finding {
        do {
            let origin = try await client.connection.origin()
            let caller = try await client.connection.client(.sts).callerIdentity()
            return Finding(
                subject: "AWS identity", detail: "\(caller) in \(place.region), from \(origin)", isGood: true)
        } catch {
            return failed("AWS identity", error)
        }
    }

    func findings() async -> [BackendReport.Finding] {
        var findings = [await cluster()]
        guard findings.allSatisfy(\.isGood) else { return findings }
        findings.append(await network())
        findings += await definitions()
        findings += await permissions()
        findings.append(await queue())
        findings.append(await leftovers())
        if let warning = secrets() { findings.append(warning) }
        return findings
    }

    private func failed(_ subject: String, _ error: any Error, isPartial: Bool? = nil) -> BackendReport.Finding {
        let detail =
            switch error {
            case let failure as RequestFailure: client.failure.remoteError(failure).message
            case let failure as CredentialFailure: failure.description
            default: "\(error)"
            }
        return Finding(subject: subject, detail: detail, isGood: false, isPartial: isPartial ?? !isFirst)
    }

    /// The source of the place's name in messages.
    private var source: String { jobs.first.map { $0.source.isEmpty ? "" : ", which \($0.source) names" } ?? "" }

    // MARK: What the jobs need

    private func cluster() async -> BackendReport.Finding {
        let name = place.cluster ?? "default"
        do {
            let answer = try await client.ecs.json("DescribeClusters", ["clusters": [.string(name)]])
            guard let found = answer["clusters"]?[0], found["status"] == "ACTIVE" else {
                return Finding(
                    subject: "cluster",
                    detail:
                        "cluster '\(name)' not found in \(place.region). Confirm that the cluster is configured in your "
                        + "region", isGood: false, isPartial: !isFirst)
            }
            let running = found["runningTasksCount"]?.intValue ?? 0
            return Finding(
                subject: "cluster", detail: "'\(name)' is active, with \(running) running tasks", isGood: true)
        } catch let failure as RequestFailure where failure.isDenied {
            return failed("cluster", failure, isPartial: true)
        } catch {
            return failed("cluster", error)
        }
    }

    private func network() async -> BackendReport.Finding {
        let needy = jobs.filter { job in
            let given =
                job.configuration.taskRunRequest["networkConfiguration"].map { !Definition.isEmpty($0) } ?? false
            return !given && Definition.networkMode(of: job.configuration) == "awsvpc"
        }
        guard !needy.isEmpty else {
            return Finding(subject: "network", detail: "the jobs need no network of a VPC", isGood: true)
        }
        var found: [String] = []
        for vpc in OrderedSet(needy.map(\.configuration.vpcID)).prefix(10) {
            do {
                let subnets = try await client.networks.subnets(of: vpc)
                found.append("\(subnets.count) subnets of \(vpc.map { "VPC '\($0)'" } ?? "the default VPC")")
            } catch {
                return failed("network", error, isPartial: true)
            }
        }
        return Finding(subject: "network", detail: found.joined(separator: ", "), isGood: true)
    }

    private func definitions() async -> [BackendReport.Finding] {
        var findings: [BackendReport.Finding] = []
        for name in OrderedSet(jobs.compactMap(\.configuration.namedDefinition)).prefix(10) {
            do {
                let definition = try await client.definitions.describe(name)
                let isActive = definition["status"] == "ACTIVE"
                let detail = isActive ? "'\(name)' is active" : "'\(name)' is inactive; register it again"
                findings.append(
                    Finding(subject: "task definition", detail: detail, isGood: isActive, isPartial: true))
            } catch {
                findings.append(failed("task definition", error, isPartial: true))
            }
        }
        let images = jobs.filter { $0.configuration.namedDefinition == nil }.map { job in
            let containers = job.configuration.taskDefinition["containerDefinitions"]?.arrayValue ?? []
            return containers.compactMap { $0["image"]?.stringValue }.first ?? "Prefect's own image"
        }
        if !images.isEmpty {
            findings.append(
                Finding(subject: "image", detail: OrderedSet(images).prefix(10).joined(separator: ", "), isGood: true))
        }
        return findings
    }

    // MARK: Permissions

    /// Requests that AWS refuses without any effect, and the action that each needs.
    private var harmlessRequests: [(operation: String, parameters: JSONValue)] {
        let cluster = JSONValue.string(place.cluster ?? "default")
        return [
            ("DescribeTaskDefinition", ["taskDefinition": "prefect-worker-check"]),
            // A family cannot have blanks.
            ("RegisterTaskDefinition", ["family": "prefect worker check", "containerDefinitions": []]),
            ("RunTask", ["cluster": cluster, "taskDefinition": "prefect-worker-check:999999"]),
            ("StopTask", ["cluster": cluster, "task": "00000000000000000000000000000000"]),
        ]
    }

    private func permissions() async -> [BackendReport.Finding] {
        var findings: [BackendReport.Finding] = []
        for (operation, parameters) in harmlessRequests {
            do {
                _ = try await client.ecs.json(operation, parameters)
            } catch let failure as RequestFailure where failure.isDenied {
                findings.append(failed("permission", failure, isPartial: true))
            } catch {
                // Every other refusal means that the action is allowed.
            }
        }
        if findings.isEmpty {
            let actions = harmlessRequests.map { "ecs:\($0.operation)" }.joined(separator: ", ")
            findings.append(Finding(subject: "permissions", detail: "granted: \(actions)", isGood: true))
        }
        return findings
    }

    private func queue() async -> BackendReport.Finding {
        guard let name = client.settings.queueName else {
            return Finding(subject: "task events", detail: "not read, as configured", isGood: true)
        }
        let sqs = client.connection.client(.sqs, in: client.settings.queueRegion)
        let exists = (try? await sqs.json("GetQueueUrl", ["QueueName": .string(name)])) != nil
        return Finding(
            subject: "task events",
            detail: exists
                ? "from the queue '\(name)'" : "no queue '\(name)' that may be read: tasks are described every 5 s",
            isGood: true)
    }

    private func leftovers() async -> BackendReport.Finding {
        do {
            let count = try await client.marked(nil, desired: "RUNNING", most: 1000).count
            return Finding(
                subject: "running tasks", detail: "\(count) tasks in the cluster bear the mark of a prefect-worker",
                isGood: true)
        } catch {
            return failed("running tasks", error, isPartial: true)
        }
    }

    /// A warning when a secret of the worker goes into requests in clear.
    private func secrets() -> BackendReport.Finding? {
        let exposed = ECSConfiguration.secretNames.filter { name in
            environment[name]?.isEmpty == false
                && jobs.contains { $0.configuration.secrets[name, default: nil] == nil }
        }
        guard !exposed.isEmpty else { return nil }
        return Finding(
            subject: "secrets",
            detail:
                "\(exposed.joined(separator: ", ")) goes into RunTask in clear, and so into CloudTrail; put it into "
                + "Secrets Manager, and set 'prefect_api_key_secret_arn' or 'prefect_api_auth_string_secret_arn'",
            isGood: false, isPartial: true)
    }
}
