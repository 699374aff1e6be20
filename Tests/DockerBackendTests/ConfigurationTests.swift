import BackendKit
import JobTemplates
import OrderedCollections
import PrefectJSON
import Testing

@testable import DockerBackend

@Suite("Docker job configurations")
struct ConfigurationTests {
    /// The settings in the environment of the recordings.
    private static let settings: [(name: String, value: String)] = [
        ("PREFECT_HOME", "/home/worker/.prefect"), ("PREFECT_API_URL", "http://127.0.0.1:4200/api"),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", #"{"X-A": "b"}"#), ("PREFECT_LOGGING_LEVEL", "INFO"),
        ("PREFECT_SERVER_EPHEMERAL_ENABLED", "True"), ("PREFECT_WORKER_QUERY_SECONDS", "5.0"),
    ]

    private static func context(
        _ input: JSONValue = ["flow_run": ["id": "i", "name": "n"]],
        settings: [(name: String, value: String)] = settings
    ) -> PreparationContext {
        PreparationContext(
            flowRun: input["flow_run"] ?? nil, flow: input["flow"],
            deployment: input["deployment"].flatMap { $0.isNull ? nil : $0 },
            workPool: input["work_pool"].map {
                .init(id: $0["id"]?.stringValue ?? "", name: $0["name"]?.stringValue ?? "")
            }, workerName: input["worker_name"]?.stringValue, workerID: input["worker_id"]?.stringValue,
            settingsEnvironment: settings)
    }

    private static func render(_ input: JSONValue) async throws -> JSONValue {
        let template = try BaseJobTemplate(json: #require(input["work_pool"]?["base_job_template"]))
        let variables = try JobVariables(
            deployment: input["deployment"]?["job_variables"], flowRun: input["flow_run"]?["job_variables"])
        return try await JobRenderer(template: template, environment: [:], references: NoReferences())
            .render(jobVariables: variables.json)
    }

    private static func request(_ rendered: JSONValue) throws -> JSONValue {
        let prepared = try DockerConfiguration(rendered: rendered).prepared(for: context())
        return ContainerRequest(
            configuration: prepared, marks: .init(owner: "o", claim: "c"), knowsHostGateway: true,
            directory: "/work/here"
        ).body
    }

    @Test("a prepared configuration is equal to that of the Python worker")
    func goldens() async throws {
        let goldens = try #require(try Resource.json("prepared_docker").arrayValue)
        for golden in goldens {
            let input = try #require(golden["input"])
            let rendered = try await Self.render(input)
            guard let expected = golden["expected"] else {
                let error = #expect(throws: InfrastructureError.self) { try DockerConfiguration(rendered: rendered) }
                #expect(error?.message.contains("$(pwd)") == true)
                continue
            }
            let prepared = try DockerConfiguration(rendered: rendered).prepared(for: Self.context(input))
            #expect(
                prepared.json.isEquivalent(to: expected),
                "\(prepared.json.serialized()) is not \(expected.serialized())")
            func order(_ key: String) -> [String]? {
                golden["attributes_order"]?[key]?.arrayValue?.compactMap(\.stringValue)
            }
            #expect(Array(prepared.env.keys) == order("env"))
            #expect(Array(prepared.labels.keys) == order("labels"))
            #expect(prepared.networkMode == golden["derived"]?["network_mode"]?.stringValue)
            #expect(prepared.pullPolicy.rawValue == golden["derived"]?["pull_policy"]?.stringValue)
        }
        #expect(goldens.count == 3)
    }

    @Test("the default template has the keys, types, defaults and placeholders of the Python worker's template")
    func template() throws {
        let expected = try Resource.json("docker_template")
        let ours = DockerBackend.defaultTemplate().json
        #expect(Self.withoutProse(ours).isEquivalent(to: Self.withoutProse(expected)))
        #expect(try BaseJobTemplate(json: ours) == DockerBackend.defaultTemplate())
    }

    @Test("the template that a server gives to new pools renders to a configuration")
    func serverTemplate() async throws {
        let template = try BaseJobTemplate(json: Resource.json("agg_docker_template"))
        let rendered = try await JobRenderer(template: template, environment: [:], references: NoReferences())
            .render(jobVariables: ["container_wait_timeout": 5, "image": "i:1"])
        let prepared = try DockerConfiguration(rendered: rendered).prepared(for: Self.context())
        #expect(prepared.image == "i:1" && prepared.streamsOutput && !prepared.removesContainer)
    }

    private static func withoutProse(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members):
            .object(
                OrderedDictionary(
                    uniqueKeysWithValues: members.filter {
                        !(["title", "description"].contains($0.key) && $0.value.stringValue != nil)
                    }.map { ($0.key, withoutProse($0.value)) }))
        case .array(let elements): .array(elements.map(withoutProse))
        default: value
        }
    }

    @Test("an API on the worker's host is reached through the host network or as host.docker.internal")
    func localAPI() throws {
        func prepared(_ rendered: JSONValue) throws -> DockerConfiguration {
            try DockerConfiguration(rendered: rendered).prepared(for: Self.context())
        }
        #expect(try prepared([:]).networkMode == "host")
        #expect(try prepared([:]).env["PREFECT_API_URL"] == "http://127.0.0.1:4200/api")
        let bridged = try prepared(["network_mode": "bridge"])
        #expect(bridged.env["PREFECT_API_URL"] == "http://host.docker.internal:4200/api")
        let joined = try prepared(["networks": ["n1", "n2"]])
        #expect(joined.networkMode == nil)
        #expect(joined.env["PREFECT_API_URL"] == "http://host.docker.internal:4200/api")
        let own = try prepared(["env": ["PREFECT_API_URL": "http://localhost:1/api"], "networks": ["n"]])
        #expect(own.env["PREFECT_API_URL"] == "http://localhost:1/api")
        #expect(try prepared(["env": ["PREFECT_API_URL": "https://api.example.com/api"]]).networkMode == nil)
    }

    @Test("an image without a tag or with the tag latest is always pulled, and others if missing")
    func pullPolicy() throws {
        func policy(_ image: String, _ policy: String? = nil) throws -> String {
            try DockerConfiguration(rendered: ["image": .string(image), "image_pull_policy": JSONValue(policy)])
                .pullPolicy.rawValue
        }
        #expect(try policy("a") == "Always" && policy("a:latest") == "Always")
        #expect(try policy("h:5000/a") == "Always" && policy("h:5000/a:1") == "IfNotPresent")
        #expect(try policy("a@sha256:00") == "IfNotPresent" && policy("a", "Never") == "Never")
    }

    @Test(
        "an invalid job variable is refused with its name or value",
        arguments: [
            (["image": nil], "image"), (["image_pull_policy": "Sometimes"], "Sometimes"),
            (["mem_limit": "lots"], "mem_limit"), (["memswap_limit": "1x"], "memswap_limit"),
            (["networks": "n"], "networks"), (["auto_remove": "perhaps"], "auto_remove"),
            (["volumes": ["/a:b"]], "/a:b"), (["volumes": ["/a:/b:z"]], "/a:/b:z"), (["volumes": [""]], "volume"),
            (["volumes": ["name"]], "name"), (["volumes": ["-x:/b"]], "-x"), (["volumes": ["a:/b:ro:rw"]], "colons"),
            (["command": "echo 'open"], "quotation"), (["container_create_kwargs": ["no_such": 1]], "no_such"),
            (["container_create_kwargs": ["environment": [:]]], "environment"),
            (["container_create_kwargs": ["network": "n"]], "network"),
            (["container_create_kwargs": ["shm_size": "big"]], "shm_size"),
            (["container_create_kwargs": ["ulimits": [["nme": "x"]]]], "nme"),
            (["container_create_kwargs": 3], "container_create_kwargs"),
        ] as [(JSONValue, String)])
    func refusals(rendered: JSONValue, part: String) throws {
        let error = #expect(throws: InfrastructureError.self) { try DockerConfiguration(rendered: rendered) }
        #expect(error?.kind == .refused)
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("\n") == false)
    }

    @Test("the request for a container follows the job variables")
    func body() throws {
        let body = try Self.request([
            "image": "i:1", "command": "sh -c 'a b'", "env": ["A": "1", "B": nil], "networks": ["n1", "n2"],
            "volumes": [" ./data:/d ", "v:/v:ro", "/anonymous", "..:/up", "/abs:/x:rw"], "mem_limit": "128m",
            "memswap_limit": "-1", "privileged": true, "auto_remove": true, "labels": ["mine": "1"],
        ])
        #expect(body["Cmd"] == ["sh", "-c", "a b"])
        #expect(body["Env"]?.arrayValue?.contains("A=1") == true)
        #expect(body["Env"]?.arrayValue?.contains { $0.stringValue?.hasPrefix("B=") == true } == false)
        let host = try #require(body["HostConfig"])
        #expect(host["Binds"] == ["/work/here/data:/d", "v:/v:ro", "/work:/up", "/abs:/x:rw"])
        #expect(body["Volumes"] == ["/d": [:], "/v": [:], "/anonymous": [:], "/up": [:], "/x": [:]])
        #expect(host["NetworkMode"] == "n1" && host["Privileged"] == true)
        #expect(host["Memory"] == .int(128 << 20) && host["MemorySwap"] == -1)
        #expect(host["ExtraHosts"] == ["host.docker.internal:host-gateway"])
        // The worker removes the container, after it has read how the container ended.
        #expect(host["AutoRemove"] == nil)
        let labels = try #require(body["Labels"])
        #expect(labels["mine"] == "1" && labels["io.prefect.flow-run-id"] == "i")
        #expect(labels["prefect-worker.owner"] == "o" && labels["prefect-worker.claim"] == "c")
        #expect(labels["prefect-worker.remove-at-end"] == "true")
    }

    @Test("the keyword arguments of docker-py become fields of the Engine's request")
    func keywords() throws {
        let body = try Self.request([
            "container_create_kwargs": [
                "shm_size": "64m", "user": 1000, "cap_add": ["NET_ADMIN"], "nano_cpus": 500_000_000,
                "devices": ["/dev/a:/dev/b:r", "/dev/c"], "entrypoint": "a 'b c'", "hostname": "h",
                "extra_hosts": ["x": "1.2.3.4"], "ulimits": [["Name": "nofile", "soft": 1, "hard": 2]],
                "tmpfs": ["/t": "size=1m"], "sysctls": ["net.a": 1], "group_add": [5],
                "ports": ["80": 8080, "53/udp": ["127.0.0.1", 53], "1": nil, "2": [1, 2]],
                "log_config": ["type": "local", "config": ["max-size": "1m"]], "restart_policy": ["Name": "no"],
                "healthcheck": ["test": "true", "interval": 1_000_000_000], "read_only": true, "links": [["a", "b"]],
                "device_requests": [["count": -1, "capabilities": [["gpu"]]]], "detach": true, "dns": nil,
                "name": "left-out", "volumes": ["/left:/out"], "init": true, "working_dir": "/w", "tty": true,
                "platform": "linux/arm64",
            ]
        ])
        let host = try #require(body["HostConfig"])
        #expect(host["ShmSize"] == .int(64 << 20) && host["CapAdd"] == ["NET_ADMIN"])
        #expect(host["NanoCpus"] == 500_000_000 && host["ReadonlyRootfs"] == true && host["Init"] == true)
        #expect(
            host["Devices"] == [
                ["PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"],
                ["PathOnHost": "/dev/c", "PathInContainer": "/dev/c", "CgroupPermissions": "rwm"],
            ])
        #expect(host["ExtraHosts"] == ["host.docker.internal:host-gateway", "x:1.2.3.4"])
        #expect(host["Ulimits"] == [["Name": "nofile", "Soft": 1, "Hard": 2]])
        #expect(host["Tmpfs"] == ["/t": "size=1m"] && host["Sysctls"] == ["net.a": "1"] && host["GroupAdd"] == ["5"])
        #expect(host["PortBindings"]?["80/tcp"] == [["HostIp": "", "HostPort": "8080"]])
        #expect(host["PortBindings"]?["53/udp"] == [["HostIp": "127.0.0.1", "HostPort": "53"]])
        #expect(host["PortBindings"]?["1/tcp"] == [["HostIp": "", "HostPort": ""]])
        #expect(host["PortBindings"]?["2/tcp"]?.arrayValue?.count == 2)
        #expect(body["ExposedPorts"]?.objectValue?.count == 4)
        #expect(host["LogConfig"] == ["Type": "local", "Config": ["max-size": "1m"]] && host["Links"] == ["a:b"])
        #expect(host["DeviceRequests"] == [["Count": -1, "Capabilities": [["gpu"]]]])
        #expect(body["User"] == "1000" && body["Entrypoint"] == ["a", "b c"] && body["Hostname"] == "h")
        #expect(body["Healthcheck"] == ["Test": ["CMD-SHELL", "true"], "Interval": 1_000_000_000])
        #expect(body["WorkingDir"] == "/w" && body["Tty"] == true)
        #expect(host["Dns"] == nil && host["Binds"] == nil)
    }

    @Test(
        "numbers of bytes are parsed as by docker-py",
        arguments: [
            ("128m", 128 << 20), ("128 m", 128 << 20), (" 128M", 128 << 20), ("2GB", 2 << 30), ("2 gb", 2 << 30),
            ("100000b", 100_000), ("7bb", 7), ("1k", 1024), ("1.5g", 3 << 29), (".5k", 512), ("5.m", 5 << 20), ("7", 7),
            (" 7", 7), ("+7k", 7168), ("1_000k", 1_024_000), ("1e3", 1000), ("1e3k", 1_024_000), ("1t", 1 << 40),
            ("-1", -1), ("-2", -2), ("-1.5k", -1536), ("", 0),
            ("m", nil), ("b", nil), (" ", nil), ("128m ", nil), ("128x", nil), ("128mib", nil), ("1__0m", nil),
            ("--1", nil), ("0x10", nil), ("infm", nil), ("nan", nil), ("9999999999t", nil),
        ] as [(String, Int?)])
    func bytes(text: String, expected: Int?) {
        #expect(ByteCount.parse(text) == expected)
    }
}

/// References without any blocks or variables.
struct NoReferences: TemplateReferences {
    func blockDocument(id: String) async throws -> JSONValue { throw ReferenceNotFound() }
    func blockDocument(typeSlug: String, name: String) async throws -> JSONValue { throw ReferenceNotFound() }
    func variable(named name: String) async throws -> JSONValue? { nil }
}
