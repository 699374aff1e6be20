import OrderedCollections
import PrefectClient

extension VectorTable {
    static let blockTypes: [String: VectorCall] = [
        "create_block_type": { client, arguments in
            VectorResult(try await client.createBlockType(arguments.required("block_type")))
        },
        "read_block_type_by_slug": { client, arguments in
            VectorResult(try await client.readBlockType(slug: arguments.required("slug")))
        },
        "read_block_types": { client, _ in VectorResult(try await client.readBlockTypes()) },
        "update_block_type": { client, arguments in
            try await client.updateBlockType(
                id: arguments.required("block_type_id"), arguments.required("block_type"))
            return .nothing
        },
        "delete_block_type": { client, arguments in
            try await client.deleteBlockType(id: arguments.required("block_type_id"))
            return .nothing
        },
    ]

    static let blockSchemas: [String: VectorCall] = [
        "create_block_schema": { client, arguments in
            VectorResult(try await client.createBlockSchema(arguments.required("block_schema")))
        },
        "read_block_schema_by_checksum": { client, arguments in
            VectorResult(
                try await client.readBlockSchema(
                    checksum: arguments.required("checksum"), version: arguments.value("version")))
        },
        "read_block_schemas": { client, _ in VectorResult(try await client.readBlockSchemas()) },
        "get_most_recent_block_schema_for_block_type": { client, arguments in
            VectorResult(try await client.readMostRecentBlockSchema(ofBlockType: arguments.required("block_type_id")))
        },
    ]

    static let blockDocuments: [String: VectorCall] = [
        "create_block_document": { client, arguments in
            VectorResult(try await client.createBlockDocument(arguments.required("block_document")))
        },
        "read_block_document": { client, arguments in
            VectorResult(
                try await client.readBlockDocument(
                    id: arguments.required("block_document_id"),
                    includesSecrets: arguments.value("include_secrets") ?? true))
        },
        "read_block_document_by_name": { client, arguments in
            VectorResult(
                try await client.readBlockDocument(
                    named: arguments.required("name"), ofType: arguments.required("block_type_slug"),
                    includesSecrets: arguments.value("include_secrets") ?? true))
        },
        "read_block_documents": { client, arguments in
            VectorResult(
                try await client.readBlockDocuments(
                    schemaType: arguments.value("block_schema_type"), limit: arguments.value("limit"),
                    offset: arguments.value("offset"), includesSecrets: arguments.value("include_secrets") ?? true))
        },
        "read_block_documents_by_type": { client, arguments in
            VectorResult(
                try await client.readBlockDocuments(
                    ofType: arguments.required("block_type_slug"), limit: arguments.value("limit"),
                    offset: arguments.value("offset"), includesSecrets: arguments.value("include_secrets") ?? true))
        },
        "update_block_document": { client, arguments in
            try await client.updateBlockDocument(
                id: arguments.required("block_document_id"), arguments.required("block_document"))
            return .nothing
        },
        "delete_block_document": { client, arguments in
            try await client.deleteBlockDocument(id: arguments.required("block_document_id"))
            return .nothing
        },
    ]
}
