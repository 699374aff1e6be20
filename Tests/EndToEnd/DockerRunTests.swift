import BackendKit
import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite("Flows in Docker containers", .requires(.prefectServer, .docker), .dockerImages, .bounded)
struct DockerRunTests {
    @Test("a flow runs in a container of its image, its events are sent, and its output is printed")
    func completes() async throws {
        try await withDockerBench { docker in
            let server = docker.bench.server
            let run = try await server.createRun(
                deployment: docker.deploy("succeed"), parameters: ["word": "swordfish"], name: "Round Trip/é")
            try await docker.withWorker { worker in
                let done = try await server.waitForRun(
                    run, toBe: ["Completed", "Failed", "Crashed"], within: .seconds(90))
                #expect(done["state_name"] == "Completed")
                try await worker.waitForLine(containing: "printed swordfish")
                let container = try #require(try await docker.containers(of: run).first)
                #expect(done["infrastructure_pid"]?.stringValue == "http+docker://localhost:\(container)")
                var events: [JSONValue] = []
                try await eventually(
                    within: .seconds(20), "the container's events have arrived", every: .milliseconds(300)
                ) {
                    events = try await server.events(
                        named: ["created", "running", "exited"].map { "prefect.docker.container.\($0)" },
                        resource: "prefect.flow-run.\(run)")
                    return events.count >= 3
                }
                events.sort { ($0["occurred"]?.stringValue ?? "") < ($1["occurred"]?.stringValue ?? "") }
                let names = events.compactMap { $0["event"]?.stringValue?.split(separator: ".").last.map(String.init) }
                #expect(names == ["created", "running", "exited"])
                for (event, previous) in zip(events.dropFirst(), events) {
                    #expect(event["follows"] == previous["id"])
                    #expect(
                        event["resource"]?["prefect.resource.id"]?.stringValue
                            == "prefect.docker.container.\(container)")
                }
                #expect(events.first?["resource"]?["prefect.resource.name"] == "Round-Trip-e")
                let worked = try #require(events.first?["related"]?.arrayValue)
                #expect(worked.contains { $0["prefect.resource.role"] == "worker" })
            }
            #expect(try await server.logs(of: run).contains { $0.contains("the word is swordfish") })
        }
    }

    @Test(
        "a failing flow is Failed, and crashes are reported with exit code, last output, signal or lack of memory"
    )
    func ends() async throws {
        try await withDockerBench { docker in
            let server = docker.bench.server
            let failed = try await server.createRun(deployment: docker.deploy("fail"))
            let seven = try await docker.shell("echo last words >&2; exit 7", jobVariables: ["stream_output": false])
            let killed = try await docker.shell("sleep 600")
            let ended = try await docker.shell("trap \"exit 143\" TERM; kill -TERM $$; sleep 5")
            let unknown = try await docker.run("no-such-program")
            let directory = try await docker.run("/tmp")
            try await docker.withWorker { _ in
                #expect(try await docker.crash(of: seven).contains("status code 7"))
                try await DockerBench.docker(["kill", docker.waitForContainer(of: killed)])
                let kill = try await docker.crash(of: killed)
                #expect(kill.contains("status code 137") && kill.contains("SIGKILL"), "\(kill)")
                let starvation = try await Starvation.message(naming: "(OOM)") {
                    try await docker.crash(
                        of: docker.shell(
                            Starvation.command, jobVariables: ["mem_limit": "16m", "memswap_limit": "16m"]))
                }
                #expect(starvation.contains("(OOM) at its limit of 16 MiB"), "\(starvation)")
                #expect(try await docker.crash(of: ended).contains("status code 143"))
                let missing = try await docker.crash(of: unknown)
                #expect(missing.contains("no-such-program") && missing.contains("could not be started"), "\(missing)")
                #expect(try await docker.crash(of: directory).contains("permission denied"))
                try await eventually(within: .seconds(20), "the hints are in the logs", every: .milliseconds(300)) {
                    let hints = try await server.logs(of: unknown)
                    let words = try await server.logs(of: seven)
                    return hints.contains { $0.contains("PATH") } && words.contains { $0.contains("last words") }
                }
                let state = try await server.waitForRun(failed, toBe: ["Failed", "Crashed"], within: .seconds(90))
                #expect(state["state_name"] == "Failed")
            }
            // A container that could not be started is removed.
            for run in [unknown, directory] { #expect(try await docker.containers(of: run) == []) }
        }
    }

    @Test(
        "all output of a container is printed, including a last line without line end and long terminal lines"
    )
    func output() async throws {
        try await withDockerBench { docker in
            let words = (1...4).map { "word-\($0)-without-an-end" }
            var runs: [String] = []
            for word in words { runs.append(try await docker.shell("echo first; sleep 1; printf \(word); exit 3")) }
            let line = String(repeating: "x", count: 40_000)
            runs.append(
                try await docker.shell(
                    "head -c 40000 /dev/zero | tr \"\\\\0\" x; echo; exit 3",
                    jobVariables: ["mem_limit": "64 m", "container_create_kwargs": ["tty": true]]))
            let worker = try await docker.withWorker { worker in
                for run in runs {
                    let crash = try await docker.crash(of: run)
                    #expect(crash.contains("status code 3"))
                }
                #expect(worker.lines.contains { $0.text.contains(line) })
                return worker
            }
            // An unterminated line becomes a line as soon as other output follows.
            for word in words { #expect(worker.lines.contains { $0.text.contains(word) }) }
        }
    }

    @Test("a container joins its networks, mounts its volumes, and is removed after its end with auto_remove")
    func surroundings() async throws {
        try await withDockerBench { docker in
            let networks = ["a", "b"].map { "\(docker.bench.pool)-\($0)" }
            for network in networks { try await DockerBench.docker(["network", "create", network]) }
            let run = try await docker.shell(
                "ls /sys/class/net | wc -l >\"$OUT/nets\"; echo x >/data/y; cat /etc/hosts >\"$OUT/hosts\"; exit 3",
                jobVariables: [
                    "networks": .array(networks.map(JSONValue.string)), "auto_remove": true,
                    "env": ["OUT": .string(docker.bench.directory)],
                    "volumes": [
                        .string("\(docker.bench.directory):\(docker.bench.directory)"),
                        .string("\(docker.bench.pool):/data"),
                    ],
                    "container_create_kwargs": ["extra_hosts": ["there": "10.1.2.3"]],
                ])
            try await docker.withWorker { _ in
                // The exit code is known although the container is removed.
                #expect(try await docker.crash(of: run).contains("status code 3"))
                try await eventually(within: .seconds(20), "the container is removed") {
                    try await docker.containers(of: run).isEmpty
                }
            }
            // The loopback device, and one device for each network.
            #expect(docker.bench.notes("nets").first?.filter { !$0.isWhitespace } == "3")
            let hosts = docker.bench.notes("hosts")
            #expect(hosts.contains { $0.contains("10.1.2.3") && $0.contains("there") })
            #expect(hosts.contains { $0.contains("host.docker.internal") })
            #expect(try await DockerBench.docker(["volume", "ls", "-q"]).contains(docker.bench.pool))
            try await DockerBench.docker(["volume", "rm", docker.bench.pool])
            for network in networks { try await DockerBench.docker(["network", "rm", network]) }
        }
    }

    @Test("a job with an invalid configuration is refused in one line with the remedy, and no container remains")
    func refusals() async throws {
        try await withDockerBench { docker in
            let cases: [(JSONValue, [String])] = [
                (
                    ["image": "no/such-image:lab", "image_pull_policy": "Never"],
                    ["no image 'no/such-image:lab'", "policy"]
                ),
                (["image": "127.0.0.1:1/no/image:1"], ["could not be pulled", "registry_credentials"]),
                (
                    ["image": "127.0.0.1:1/no/image:1", "image_pull_policy": "IfPossible"],
                    ["has no copy of the image"]
                ),
                (["volumes": ["$(pwd):/x"]], ["$(pwd)"]),
                (["mem_limit": "1m"], ["could not be created", "memory"]),
                (["networks": ["no-such-network"]], ["no-such-network"]),
                (["networks": ["bridge", "no-such-network"]], ["no-such-network"]),
                (["container_create_kwargs": ["no_such_key": 1]], ["no_such_key"]),
                (
                    [
                        "image": "127.0.0.1:1/i:1",
                        "registry_credentials": [
                            "username": "u", "password": "top-secret", "registry_url": "127.0.0.1:1",
                        ],
                    ], ["does not accept the credentials"]
                ),
            ]
            var runs: [String] = []
            for (variables, _) in cases { runs.append(try await docker.run("true", jobVariables: variables)) }
            try await docker.withWorker { worker in
                for (run, (_, parts)) in zip(runs, cases) {
                    let message = try await docker.crash(of: run)
                    for part in parts { #expect(message.contains(part), "\(message)") }
                    #expect(!message.contains("\n") && !message.contains("top-secret"))
                }
                #expect(!worker.lines.contains { $0.text.contains("top-secret") })
            }
            #expect(try await docker.containers() == [])
        }
    }

    @Test("a missing pool is created for Docker, and check reports the state of the Engine")
    func newPool() async throws {
        try await withTestBench(createsPool: false) { bench in
            let docker = DockerBench(bench: bench)
            try await docker.withWorker { _ in
                // A worker without runs exits at once, also between the creation of the pool and the creation of its
                // template.
                try await eventually(within: .seconds(20), "the pool has its template") {
                    let pool = try? await bench.server.pool(bench.pool)
                    return pool?["base_job_template"]?["variables"]?["properties"]?["container_create_kwargs"] != nil
                }
            }
            #expect(try await bench.server.pool(bench.pool)["type"] == "docker")
            for (host, status, part) in [
                (Engine.docker.address ?? "", ChildProcess.ExitStatus.exited(0), "API 1."),
                ("unix://\(bench.directory)/none", .exited(1), "is unreachable"), ("ssh://h", .exited(1), "ssh -NL"),
            ] {
                let check = try await WorkerProgram.run(
                    ["check", "--pool", bench.pool], environment: bench.environment(["DOCKER_HOST": host]),
                    in: bench.directory)
                #expect(check.status == status, "\(check.text)")
                #expect(check.text.contains(part), "\(check.text)")
            }
        }
    }

    @Test("container names are made valid for the Engine, and a name in use gets a number")
    func names() async throws {
        try await withDockerBench { docker in
            let name = "Same Name, \(docker.bench.pool)/é!"
            var runs: [String] = []
            for _ in 0..<3 { runs.append(try await docker.run("true", name: name)) }
            try await docker.withWorker { _ in
                for run in runs {
                    try await eventually(within: .seconds(60), "the run has a container") {
                        try await docker.bench.server.flowRun(run)["infrastructure_pid"]?.stringValue != nil
                    }
                }
            }
            let found = try await DockerBench.docker(
                [
                    "ps", "-a", "--format", "{{.Names}}", "--filter",
                    "label=io.prefect.work-pool-name=\(docker.bench.pool)",
                ])
            let base = "Same-Name-\(docker.bench.pool)-e"
            #expect(found.sorted() == [base, base + "-1", base + "-2"])
        }
    }

    @Test("a cancelled run ends within seconds, both while its container runs and while its image is pulled")
    func cancelled() async throws {
        try await withDockerBench { docker in
            let server = docker.bench.server
            let running = try await docker.shell("trap \"exit 0\" TERM; while :; do sleep 0.1; done")
            // A registry that accepts the connection and never answers.
            try await withHostileServer(HostileServer.Answer("")) { registry in
                let address = registry.url.dropFirst("http://".count)
                let pulling = try await docker.run("true", jobVariables: ["image": .string("\(address)/slow/image:1")])
                try await docker.withWorker { worker in
                    _ = try await docker.waitForContainer(of: running)
                    try await eventually(within: .seconds(30), "the image is being pulled") {
                        try await server.flowRun(pulling)["state_name"] == "Submitting"
                    }
                    for run in [running, pulling] {
                        try await server.setState(of: run, to: "CANCELLING", name: "Cancelling", force: true)
                    }
                    for run in [running, pulling] {
                        try await server.waitForRun(run, toBe: ["Cancelled"], within: .seconds(40))
                    }
                    #expect(worker.exitStatus == nil)
                }
                #expect(try await docker.containers(of: pulling) == [])
            }
            #expect(try await docker.containers(running: true) == [])
        }
    }

    @Test("fifty containers at once are all watched to their ends")
    func fifty() async throws {
        try await withDockerBench { docker in
            let deployment = try await docker.bench.deploy(
                command: "sh -c \"sleep 3; exit 9\"",
                jobVariables: ["image": "busybox:lab", "stream_output": true, "auto_remove": true])
            var runs: [String] = []
            for _ in 0..<50 { runs.append(try await docker.bench.server.createRun(deployment: deployment)) }
            try await docker.withWorker { _ in
                try await eventually(within: .seconds(150), "all runs have crashed", every: .milliseconds(500)) {
                    try await docker.bench.count(ofStates: ["CRASHED"]) == 50
                }
                try await eventually(within: .seconds(60), "all containers are removed", every: .milliseconds(500)) {
                    try await docker.containers().isEmpty
                }
            }
        }
    }
}
