import PrefectJSON
import TestSupport
import Testing

@Suite(
    "A Docker Engine that becomes unavailable", .requires(.prefectServer, .docker), .dockerImages, .ownEngine, .bounded)
struct DockerEngineTests {
    /// Ten runs that exit with code 3 as soon as a file exists: every second run for the file `first`, the others for
    /// `second`.
    private static func add(to docker: DockerBench) async throws -> [String] {
        var runs: [String] = []
        for number in 0..<10 {
            let end = "\(docker.bench.directory)/\(number % 2 == 0 ? "first" : "second")"
            runs.append(
                try await docker.shell(
                    "echo begun; while [ ! -e \(end) ]; do sleep 0.2; done; echo ended by \(end); exit 3",
                    jobVariables: ["network_mode": "host"]))
        }
        return runs
    }

    private static func waitForContainers(_ count: Int, _ engine: OwnEngine) async throws {
        try await eventually(within: .seconds(90), "\(count) containers run", every: .milliseconds(300)) {
            try await engine.docker(["ps", "-q"]).count == count
        }
    }

    @Test("ten containers that continue while the Engine is stopped are all watched to their ends")
    func restored() async throws {
        try await withDockerBench { docker in
            let engine = try await OwnEngine(in: docker.bench.directory + "/e", restoresContainers: true)
            try await docker.withWorker(variables: ["DOCKER_HOST": engine.address]) { worker in
                try await worker.waitForLine(containing: "is unreachable")
                let runs = try await engine.life(endingWith: .terminate) {
                    try await engine.loadImage()
                    let runs = try await Self.add(to: docker)
                    try await Self.waitForContainers(10, engine)
                    try await eventually(within: .seconds(20), "all runs have printed") {
                        worker.output.count { $0 == "begun" } == 10
                    }
                    return runs
                }
                try await worker.waitForLine("a second line about the missing Engine") { _ in
                    worker.lines.count { $0.text.contains("is unreachable") } == 2
                }
                // These runs end while no Engine can report their ends.
                try docker.bench.write("first", "")
                for run in runs {
                    #expect(try await docker.bench.server.flowRun(run)["state_type"] == "PENDING")
                }
                try await engine.life(endingWith: .terminate) {
                    try docker.bench.write("second", "")
                    for run in runs {
                        #expect(try await docker.crash(of: run, within: .seconds(90)).contains("status code 3"))
                    }
                    // The Engine, too, loses the output from the time when it was stopped.
                    try await eventually(within: .seconds(20), "the remaining output is printed") {
                        worker.output.count { $0.hasPrefix("ended by") && $0.hasSuffix("second") } == 5
                    }
                    #expect(worker.output.count { $0 == "begun" } == 10)
                    try await engine.clear()
                }
            }
        }
    }

    @Test("ten containers that end with a stopped Engine are all reported as crashed")
    func stopped() async throws {
        try await withDockerBench { docker in
            let engine = try await OwnEngine(in: docker.bench.directory + "/e", restoresContainers: false)
            try await docker.withWorker(variables: ["DOCKER_HOST": engine.address]) { _ in
                let runs = try await engine.life(endingWith: .terminate) {
                    try await engine.loadImage()
                    let runs = try await Self.add(to: docker)
                    try await Self.waitForContainers(10, engine)
                    return runs
                }
                try await engine.life(endingWith: .terminate) {
                    for run in runs {
                        let message = try await docker.crash(of: run, within: .seconds(90))
                        #expect(
                            message.contains("status code 137") || message.contains("status code 143"), "\(message)")
                    }
                    // The worker continues with new runs.
                    let next = try await docker.shell("exit 4", jobVariables: ["network_mode": "host"])
                    #expect(try await docker.crash(of: next).contains("status code 4"))
                    try await engine.clear()
                }
            }
        }
    }
}
