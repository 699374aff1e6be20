import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@Suite("Blocks of a real server", .requires(.prefectServer), .timeLimit(.minutes(10)))
struct BlockServerTests {
    @Test("types, schemas and documents are created, read, changed and deleted")
    func blocks() async throws {
        try await withRealServer { client, cleanUp in
            let slug = uniqueName("block")
            let type = try await client.createBlockType(BlockTypeCreate(name: slug, slug: slug))
            cleanUp.add { try await client.deleteBlockType(id: type.id) }
            let again = await apiError {
                _ = try await client.createBlockType(BlockTypeCreate(name: slug, slug: slug))
            }
            #expect(again?.isConflict == true)
            try await client.updateBlockType(id: type.id, BlockTypeUpdate { $0.description = "of a test" })
            #expect(try await client.readBlockType(slug: slug).description == "of a test")
            #expect(try await client.readBlockType(id: type.id).slug == slug)
            let types = try await client.readBlockTypes(blockTypes: BlockTypeFilter(slug: .equals(slug)))
            #expect(types.map(\.id) == [type.id])
            #expect(try await client.readMostRecentBlockSchema(ofBlockType: type.id) == nil)

            let fields: JSONObject = [
                "title": "Test", "type": "object", "secret_fields": ["token"], "block_type_slug": .string(slug),
                "properties": ["token": ["type": "string", "title": "Token"], "n": ["type": "integer"]],
            ]
            let schema = try await client.createBlockSchema(
                BlockSchemaCreate(blockTypeID: type.id) {
                    $0.fields = fields
                    $0.capabilities = ["read"]
                    $0.version = "1.0"
                })
            #expect(try await client.readMostRecentBlockSchema(ofBlockType: type.id)?.id == schema.id)
            #expect(try await client.readBlockSchema(checksum: schema.checksum, version: "1.0").id == schema.id)
            let schemas = try await client.readBlockSchemas(
                blockSchemas: BlockSchemaFilter(blockTypeID: .equals(type.id)), limit: 5, offset: 0)
            #expect(schemas.map(\.id) == [schema.id])

            let document = try await client.createBlockDocument(
                BlockDocumentCreate(blockSchemaID: schema.id, blockTypeID: type.id) {
                    $0.name = "doc"
                    $0.data = ["token": "hidden", "n": 1]
                })
            try await client.updateBlockDocument(id: document.id, BlockDocumentUpdate { $0.data = ["n": 2] })
            let read = try await client.readBlockDocument(named: "doc", ofType: slug)
            #expect(read.data == ["token": "hidden", "n": 2])
            let masked = try await client.readBlockDocument(id: document.id, includesSecrets: false)
            #expect(masked.data["token"] != "hidden")
            #expect(try await client.readBlockDocuments(ofType: slug, limit: 1, offset: 0).map(\.id) == [document.id])
            let listed = try await client.readBlockDocuments(
                blockTypes: BlockTypeFilter(slug: .equals(slug)), sort: .nameAscending, limit: 10,
                includesSecrets: false)
            #expect(listed.map(\.id) == [document.id])
            try await client.deleteBlockDocument(id: document.id)
            let gone = await apiError { _ = try await client.readBlockDocument(id: document.id) }
            #expect(gone?.isNotFound == true)
            try await client.deleteBlockType(id: type.id)
            #expect(await apiError { _ = try await client.readBlockType(slug: slug) }?.isNotFound == true)
        }
    }
}
