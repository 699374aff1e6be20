import OrderedCollections
import PrefectClient
import PrefectJSON

extension VectorTable {
    static let variables: [String: VectorCall] = [
        "create_variable": { client, arguments in
            VectorResult(try await client.createVariable(arguments.required("variable")))
        },
        "read_variable_by_name": { client, arguments in
            VectorResult(try await client.readVariable(named: arguments.required("name")))
        },
        "read_variables": { client, arguments in
            VectorResult(try await client.readVariables(limit: arguments.value("limit")))
        },
        "update_variable": { client, arguments in
            let changes: VariableUpdate = try arguments.required("variable")
            try await client.updateVariable(named: changes.name ?? "", changes)
            return .nothing
        },
        "delete_variable_by_name": { client, arguments in
            try await client.deleteVariable(named: arguments.required("name"))
            return .nothing
        },
    ]
}
