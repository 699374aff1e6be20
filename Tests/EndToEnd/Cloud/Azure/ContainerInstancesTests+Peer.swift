import Foundation
import PrefectJSON
import TestSupport
import Testing

extension ContainerInstancesTests {
    @Test(
        "the Python worker and this worker stop each other's container groups", .peers, arguments: [true, false])
    func peers(_ beginsWithPython: Bool) async throws {
        try await Peers.withServer { server in
            try await withAzureBench(on: server) { azure in
                let run = try await azure.run("touch \"$OUT/begun\"; while :; do sleep 0.2; done")
                let peers = Peers(bench: azure.bench, type: AzureBench.type, variables: azure.environment())
                try await peers.expectStop(of: run, startedByPython: beginsWithPython) {
                    FileManager.default.fileExists(atPath: "\(azure.shared)/begun")
                } stopped: {
                    let left = Set(try await DockerBench.docker(["ps", "-a", "--format", "{{.Names}}"]))
                    return try await left.isDisjoint(with: azure.containers(of: [run]))
                }
                let pid = try await server.flowRun(run)["infrastructure_pid"]?.stringValue
                #expect(pid == "\(run):\(azure.prefix)-\(run)")
                #expect(try await azure.containers(of: [run]).count == 1)
            }
        }
    }
}
