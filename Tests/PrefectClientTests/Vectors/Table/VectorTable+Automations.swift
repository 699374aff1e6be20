import PrefectClient

extension VectorTable {
    static let automations: [String: VectorCall] = [
        "create_automation": { client, arguments in
            VectorResult(try await client.createAutomation(arguments.typed("automation")))
        },
        "read_automation": { client, arguments in
            VectorResult(try await client.readAutomation(id: arguments.required("automation_id")))
        },
        "read_automations": { client, arguments in
            VectorResult(
                try await client.readAutomations(
                    automations: arguments.value("automations"), sort: arguments.value("sort"),
                    limit: arguments.value("limit"), offset: arguments.value("offset") ?? 0))
        },
        "read_automations_by_name": { client, arguments in
            VectorResult(try await client.readAutomations(named: arguments.required("name")))
        },
        "find_automation": { client, arguments in
            VectorResult(try await client.findAutomation(arguments.required("id_or_name")))
        },
        "update_automation": { client, arguments in
            try await client.updateAutomation(
                id: arguments.required("automation_id"), arguments.typed("automation"))
            return .nothing
        },
        "pause_automation": { client, arguments in
            try await client.pauseAutomation(id: arguments.required("automation_id"))
            return .nothing
        },
        "resume_automation": { client, arguments in
            try await client.resumeAutomation(id: arguments.required("automation_id"))
            return .nothing
        },
        "read_resource_related_automations": { client, arguments in
            VectorResult(try await client.readAutomations(relatedTo: arguments.required("resource_id")))
        },
        "delete_resource_owned_automations": { client, arguments in
            try await client.deleteAutomations(ownedBy: arguments.required("resource_id"))
            return .nothing
        },
        "delete_automation": { client, arguments in
            try await client.deleteAutomation(id: arguments.required("automation_id"))
            return .nothing
        },
    ]
}
