import JSON
import TestSupport
import Testing

@Suite("An Engine that goes away", .requires(.prefectServer, .docker), .dockerImages, .ownEngine, .bounded)
struct DockerEngineTests {
    /// Ten runs that end with the code 3 when they are told to: every other one with `first`, the others with `second`.
    private static func add(to docker: DockerBench) async throws -> [String] {
        var runs: [String] = []
        for number in 0..<10 {
            let end = "\(docker.bench.folder)/\(number % 2 == 0 ? "first" : "second")"
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

    @Test("stopped in the middle of ten runs whose containers go on, it costs nothing: each is watched to its own end")
    func restored() async throws {
        try await withDockerBench { docker in
            let engine = try await OwnEngine(in: docker.bench.folder + "/e", restoresContainers: true)
            try await docker.withWorker(variables: ["DOCKER_HOST": engine.address]) { worker in
                try await worker.waitForLine(containing: "does not answer")
                let runs = try await engine.life(endingWith: .terminate) {
                    try await engine.loadImage()
                    let runs = try await Self.add(to: docker)
                    try await Self.waitForContainers(10, engine)
                    try await eventually(within: .seconds(20), "all have printed") {
                        worker.output.count { $0 == "begun" } == 10
                    }
                    return runs
                }
                try await worker.waitForLine("a second line about its absence") { _ in
                    worker.lines.count { $0.text.contains("does not answer") } == 2
                }
                // They end while nobody can tell.
                try docker.bench.write("first", "")
                for run in runs {
                    #expect(try await docker.bench.server.flowRun(run)["state_type"] == "PENDING")
                }
                try await engine.life(endingWith: .terminate) {
                    try docker.bench.write("second", "")
                    for run in runs {
                        #expect(try await docker.crash(of: run, within: .seconds(90)).contains("status code 3"))
                    }
                    // What was printed without an Engine is lost to that, too.
                    try await eventually(within: .seconds(20), "the rest is printed") {
                        worker.output.count { $0.hasPrefix("ended by") && $0.hasSuffix("second") } == 5
                    }
                    #expect(worker.output.count { $0 == "begun" } == 10)
                    try await engine.clear()
                }
            }
        }
    }

    @Test("stopped in the middle of ten runs, it takes their containers with it, and each run is told of")
    func stopped() async throws {
        try await withDockerBench { docker in
            let engine = try await OwnEngine(in: docker.bench.folder + "/e", restoresContainers: false)
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
                    // It goes on with what comes.
                    let next = try await docker.shell("exit 4", jobVariables: ["network_mode": "host"])
                    #expect(try await docker.crash(of: next).contains("status code 4"))
                    try await engine.clear()
                }
            }
        }
    }
}
