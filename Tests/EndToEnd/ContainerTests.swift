import PrefectJSON
import TestSupport
import Testing

@Suite(
    "The image of the worker", .requires(.prefectServer, .docker), .image("TEST_IMAGE", madeBy: "image"), .bounded)
struct ContainerTests {
    @Test("the image is smaller than 170 MB, contains no Python, and does not run as root")
    func contents() async throws {
        let image = try #require(ContainerBench.image("TEST_IMAGE"))
        let text = try await DockerBench.docker(["image", "inspect", image]).joined(separator: "\n")
        let said = try #require(try JSONValue(parsing: Array(text.utf8))[0])
        let size = try #require(said["Size"]?.intValue)
        #expect(size < 170_000_000)
        let look = "id -u; find / -xdev \\( -name 'python*' -o -name 'libpython*' \\) \\( -type f -o -type l \\) -print"
        let seen = try await DockerBench.docker([
            "run", "--rm", "--entrypoint", "/bin/sh", "--user", "0", image, "-c", look,
        ])
        #expect(seen == ["0"])
        #expect(try await DockerBench.docker(["run", "--rm", "--entrypoint", "id", image, "-u"]) == ["10001"])
    }

    @Test("a container becomes healthy, reaps orphans of runs, drains when it is stopped, and exits with status 0")
    func drains() async throws {
        try await withContainerBench { containers in
            let bench = containers.bench
            try await containers.withContainer(variables: ["PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS": ""]) { worker in
                try await worker.waitUntilHealthy()
                // One process ends while its parent, which does not wait for it, still runs. The other process ends
                // after its parent.
                let orphans = try await bench.server.createRun(
                    deployment: bench.deploy(
                        command: "/bin/sh -c 'sleep 0.2 & (setsid sleep 2 &) ; exec sh -c \"sleep 1; exit 3\"'"))
                try await bench.server.waitForRun(orphans, toBe: ["Crashed"])
                try await eventually("only the worker's processes remain", every: .milliseconds(200)) {
                    try await worker.processes().sorted() == ["S prefect-worker", "S worker-init"]
                }

                let go = "\(bench.directory)/go"
                let run = try await bench.server.createRun(
                    deployment: bench.deploy(
                        command: "/bin/sh -c 'echo begun; until [ -e \(go) ]; do sleep 0.1; done; exit 4'"))
                try await worker.waitForLine(containing: "begun")
                async let stopped = DockerBench.docker(["stop", "-t", "50", worker.id])
                try await worker.waitForLine(containing: "draining")
                try bench.write("go", "")
                _ = try await stopped
                #expect(try await worker.exitCode() == 0)
                // A busy server may take longer than the worker's last reports may. Then the next start reports the
                // run.
                if try await bench.server.flowRun(run)["state_name"] != "Crashed" {
                    let log = await worker.log()
                    #expect(log.contains { $0.contains("recovered at the next start of this worker") }, "\(log)")
                    try await DockerBench.docker(["start", worker.id])
                }
                let crash = try await bench.server.waitForRun(run, toBe: ["Crashed"])
                #expect(crash["state"]?["message"]?.stringValue?.contains("status code 4") == true, "\(crash)")
            }
        }
    }

    @Test("`docker stop` ends the worker in time with status 0, and a running run is ended and reported")
    func stops() async throws {
        // The Engine allows ten seconds for the whole shutdown. A busy server on SQLite may need them for one answer.
        try await withFakePrefectAPI { api in
            try await withContainerBench { containers in
                let pool = api.addPool(name: containers.bench.pool, template: FakePrefectAPI.processTemplate)
                let deployment = api.addDeployment(
                    name: "lasting", flow: api.addFlow(name: "lasting"), pool: pool,
                    jobVariables: ["command": "/bin/sh -c 'echo begun; exec sleep 600'"])
                let run = api.scheduleRun(deployment: deployment)
                try await containers.withContainer(variables: ["PREFECT_API_URL": api.url]) { worker in
                    try await worker.waitForLine(containing: "begun")
                    try await DockerBench.docker(["stop", worker.id])
                    // A SIGKILL by the Engine would result in the exit code 137.
                    #expect(try await worker.exitCode() == 0)
                    #expect(api.run(run)?.stateType == .crashed)
                }
            }
        }
    }

    @Test("a container that is killed and started again reports the run that ended with it")
    func isKilled() async throws {
        try await withContainerBench { containers in
            let bench = containers.bench
            try await containers.withContainer { worker in
                let run = try await bench.server.createRun(
                    deployment: bench.deploy(command: "/bin/sh -c 'echo begun; exec sleep 600'"))
                try await worker.waitForLine(containing: "begun")
                try await DockerBench.docker(["kill", worker.id])
                #expect(try await bench.server.flowRun(run)["state_name"] != "Crashed")
                try await DockerBench.docker(["start", worker.id])
                try await bench.server.waitForRun(run, toBe: ["Crashed"])
                try await worker.waitUntilHealthy()
            }
        }
    }

    @Test(
        "the image runs the command line of Prefect's Helm chart, as any user and with a read-only root",
        .image("TEST_IMAGE", madeBy: "image"), .image("TEST_IMAGE_PYTHON", madeBy: "image-python"),
        arguments: ["TEST_IMAGE", "TEST_IMAGE_PYTHON"])
    func chart(variable: String) async throws {
        let image = try #require(ContainerBench.image(variable))
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            let options = [
                "run", "--rm", "--network", "host", "--read-only", "--user", "1001", "--tmpfs",
                "/home/prefect:mode=1777",
                "--tmpfs", "/tmp:mode=1777", "-e", "HOME=/home/prefect", "-e", "PREFECT_API_URL=\(api.url)",
                "--entrypoint", "/usr/bin/tini", image, "-g", "--", "/opt/prefect/entrypoint.sh",
            ]
            let served = try await DockerBench.docker(
                options + [
                    "prefect", "worker", "start", "--type", "process", "--pool", "p", "--python", "none", "--run-once",
                ])
            #expect(!api.requests("POST", "/work_pools/p/get_scheduled_flow_runs").isEmpty, "\(served)")
            let inspected = try await DockerBench.docker(options + ["prefect", "work-pool", "inspect", "p"])
            #expect(inspected.joined().contains("p"))
            // The arguments stay as they are.
            #expect(try await DockerBench.docker(options + ["printf", "%s|", "a b", ""]) == ["a b||"])
        }
    }

    @Test(
        "the image with Python runs flows without any capability, the second one as a copy of a warm engine",
        .image("TEST_IMAGE_PYTHON", madeBy: "image-python"))
    func flow() async throws {
        try await withContainerBench("TEST_IMAGE_PYTHON") { containers in
            let server = containers.bench.server
            let deployment = try await containers.bench.deploy("succeed")
            let isolation = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
            try await containers.withContainer([], options: isolation) { worker in
                for word in ["swordfish", "marlin"] {
                    let run = try await server.createRun(deployment: deployment, parameters: ["word": .string(word)])
                    let done = try await server.waitForRun(
                        run, toBe: ["Completed", "Failed", "Crashed"], within: .seconds(90))
                    #expect(done["state_name"] == "Completed")
                    try await worker.waitForLine(containing: "printed \(word)")
                    try await eventually(within: .seconds(60), "a zygote is ready", every: .milliseconds(200)) {
                        try await containers.probe.status()["backends"]?[0]?["engine_starts"]?["zygotes"] == 1
                    }
                }
                #expect(try await containers.probe.status()["backends"]?[0]?["engine_starts"]?["warm"] == 1)
            }
        }
    }
}
