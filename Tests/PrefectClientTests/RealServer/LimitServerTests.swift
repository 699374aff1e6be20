import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@Suite("Concurrency limits of a real server", .requires(.prefectServer), .timeLimit(.minutes(10)))
struct LimitServerTests {
    @Test("the limit of a tag gives its slots to task runs")
    func tags() async throws {
        try await withRealServer { client, cleanUp in
            let tag = uniqueName("tag")
            let id = try await client.createConcurrencyLimit(tag: tag, limit: 1)
            cleanUp.add { try await client.deleteConcurrencyLimit(tag: tag) }
            #expect(try await client.createConcurrencyLimit(tag: tag, limit: 1) == id)
            let first = UUID()
            let taken = try await client.incrementV1ConcurrencySlots(names: [tag], taskRunID: first)
            #expect(taken.map(\.name) == [tag])
            #expect(try await client.readConcurrencyLimit(tag: tag).activeSlots == [first])
            let full = try await answeredError {
                try await client.incrementV1ConcurrencySlots(names: [tag], taskRunID: UUID(), effort: .once)
            }
            #expect(full?.isLocked == true && full?.retryAfter != nil)
            try await client.decrementV1ConcurrencySlots(names: [tag], taskRunID: first, occupancy: .seconds(1))
            #expect(try await client.readConcurrencyLimit(tag: tag).activeSlots == [])
            try await client.resetConcurrencyLimit(tag: tag, slots: [first])
            #expect(try await client.readConcurrencyLimit(tag: tag).activeSlots == [first])
            try await client.resetConcurrencyLimit(tag: tag)
            var tags: [String] = []
            for try await limit in Pages({ try await client.readConcurrencyLimits(limit: $0, offset: $1) }) {
                tags.append(limit.tag)
            }
            #expect(tags.contains(tag))
            try await client.deleteConcurrencyLimit(tag: tag)
            #expect(await apiError { _ = try await client.readConcurrencyLimit(tag: tag) }?.isNotFound == true)
        }
    }

    @Test("a global limit gives its slots, also with a lease")
    func global() async throws {
        try await withRealServer { client, cleanUp in
            let name = uniqueName("limit")
            let id = try await client.createGlobalConcurrencyLimit(GlobalConcurrencyLimitCreate(name: name, limit: 2))
            cleanUp.add { try await client.deleteGlobalConcurrencyLimit(named: name) }
            let again = await apiError {
                _ = try await client.createGlobalConcurrencyLimit(GlobalConcurrencyLimitCreate(name: name, limit: 2))
            }
            #expect(again?.isConflict == true)
            #expect(try await client.readGlobalConcurrencyLimit(named: name).id == id)
            let slots = try await client.incrementConcurrencySlots(names: [name, "unknown-\(name)"], slots: 2)
            #expect(slots.map(\.id) == [id])
            let full = try await answeredError {
                _ = try await client.incrementConcurrencySlots(names: [name], slots: 1, effort: .once)
            }
            #expect(full?.isLocked == true && full?.retryAfter != nil)
            try await client.releaseConcurrencySlots(names: [name], slots: 2, occupancy: .milliseconds(250))

            let holder = ConcurrencyLeaseHolder(type: .flowRun, id: UUID())
            let lease = try await client.incrementConcurrencySlotsWithLease(
                names: [name], slots: 1, leaseDuration: .seconds(60), holder: holder)
            #expect(lease.limits.map(\.name) == [name])
            #expect(try await client.readGlobalConcurrencyLimit(named: name).activeSlots == 1)
            try await client.renewConcurrencyLease(id: lease.leaseID, for: .seconds(120))
            try await client.releaseConcurrencySlotsWithLease(id: lease.leaseID)
            try await client.releaseConcurrencySlotsWithLease(id: UUID())
            let ended = await apiError { try await client.renewConcurrencyLease(id: UUID(), for: .seconds(60)) }
            #expect(ended?.status == 410)
            let rate = await apiError {
                _ = try await client.incrementConcurrencySlots(names: [name], slots: 1, mode: .rateLimit)
            }
            #expect(rate?.isUnprocessable == true)

            try await client.upsertGlobalConcurrencyLimit(named: name, limit: 5, slotDecayPerSecond: 0.5)
            let changed = try await client.readGlobalConcurrencyLimit(named: name)
            #expect(changed.limit == 5 && changed.slotDecayPerSecond == 0.5)
            try await client.updateGlobalConcurrencyLimit(
                named: name, GlobalConcurrencyLimitUpdate { $0.active = false })
            #expect(try await client.readGlobalConcurrencyLimit(named: name).active == false)
            var names: [String] = []
            for try await limit in Pages({ try await client.readGlobalConcurrencyLimits(limit: $0, offset: $1) }) {
                names.append(limit.name)
            }
            #expect(names.contains(name))
            try await client.deleteGlobalConcurrencyLimit(named: name)
            try await client.upsertGlobalConcurrencyLimit(named: name, limit: 1)
            #expect(try await client.readGlobalConcurrencyLimit(named: name).limit == 1)
        }
    }
}
