import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@Suite("Work pools and variables of a real server", .requires(.prefectServer), .timeLimit(.minutes(10)))
struct WorkPoolServerTests {
    @Test("pools, queues and workers are created, read, changed and deleted")
    func pools() async throws {
        try await withRealServer { client, cleanUp in
            let name = uniqueName("pool")
            let pool = try await client.createWorkPool(WorkPoolCreate(name: name) { $0.type = "process" })
            cleanUp.add { try await client.deleteWorkPool(named: name) }
            let again = await apiError { _ = try await client.createWorkPool(WorkPoolCreate(name: name)) }
            #expect(again?.isConflict == true)
            try await client.updateWorkPool(named: name, WorkPoolUpdate { $0.concurrencyLimit = 3 })
            #expect(try await client.readWorkPool(named: name).concurrencyLimit == 3)
            try await client.updateWorkPool(named: name, WorkPoolUpdate { $0.concurrencyLimit = nil })
            #expect(try await client.readWorkPool(named: name).concurrencyLimit == nil)
            let pools = try await client.readWorkPools(workPools: WorkPoolFilter(name: .equals(name)), limit: 5)
            #expect(pools.map(\.id) == [pool.id])
            #expect(try await client.readWorkPoolConcurrencyStatus(named: name).activeSlots == 0)
            #expect(try await client.getScheduledFlowRuns(forWorkPool: name).isEmpty)

            let queue = try await client.createWorkQueue(WorkQueueCreate(name: "fast"), inWorkPool: name)
            try await client.updateWorkQueue(id: queue.id, WorkQueueUpdate { $0.concurrencyLimit = 2 })
            #expect(try await client.readWorkQueue(id: queue.id).concurrencyLimit == 2)
            #expect(try await client.readWorkQueue(named: "fast", inWorkPool: name).id == queue.id)
            let queues = try await client.readWorkQueues(inWorkPool: name, limit: 10)
            #expect(Set(queues.map(\.name)) == ["default", "fast"])
            let matching = try await client.matchWorkQueues(prefixes: ["fa"], inWorkPool: name)
            #expect(matching.map(\.id) == [queue.id])
            #expect(try await client.readWorkQueueStatus(id: queue.id).lateRunsCount == 0)
            #expect(try await client.readWorkQueueConcurrencyStatus(id: queue.id).activeSlots == 0)
            #expect(try await client.getRunsInWorkQueue(id: queue.id).isEmpty)

            _ = try await client.sendWorkerHeartbeat(workPool: name, worker: "w", interval: .seconds(30))
            #expect(try await client.readWorkers(forWorkPool: name, limit: 5).map(\.name) == ["w"])
            try await client.deleteWorkQueue(id: queue.id)
            #expect(await apiError { _ = try await client.readWorkQueue(id: queue.id) }?.isNotFound == true)
            try await client.deleteWorkPool(named: name)
            #expect(await apiError { _ = try await client.readWorkPool(named: name) }?.isNotFound == true)
        }
    }

    @Test("variables are created, read, changed and deleted")
    func variables() async throws {
        try await withRealServer { client, cleanUp in
            let name = uniqueName("variable").replacing("-", with: "_")
            let created = try await client.createVariable(VariableCreate(name: name) { $0.value = ["a": [1, nil]] })
            cleanUp.add { try await client.deleteVariable(named: name) }
            let again = await apiError {
                _ = try await client.createVariable(VariableCreate(name: name) { $0.value = 1 })
            }
            #expect(again?.isConflict == true)
            #expect(try await client.readVariable(named: name)?.value == ["a": [1, nil]])
            try await client.updateVariable(named: name, VariableUpdate { $0.tags = ["t"] })
            let found = try await client.readVariables(variables: VariableFilter(name: .equals(name)), limit: 5)
            #expect(found.map(\.id) == [created.id] && found.first?.tags == ["t"])
            try await client.deleteVariable(named: name)
            #expect(try await client.readVariable(named: name) == nil)
            #expect(await apiError { try await client.deleteVariable(named: name) }?.isNotFound == true)
        }
    }
}
