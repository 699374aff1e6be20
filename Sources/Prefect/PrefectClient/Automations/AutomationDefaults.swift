internal import OrderedCollections
internal import PrefectJSON

extension AutomationCore {
    /// The automation as JSON with the defaults of Prefect's client. Prefect Cloud may require members that a server
    /// does not.
    var withDefaults: JSONValue {
        var json = jsonValue
        json.complete([
            "description": "", "enabled": true, "tags": [], "actions_on_trigger": [], "actions_on_resolve": [],
            "owner_resource": nil,
        ])
        json["trigger"]?.completeTrigger()
        for list in ["actions", "actions_on_trigger", "actions_on_resolve"] { json[list]?.completeActions() }
        return json
    }
}

extension JSONValue {
    /// Adds the members that are absent.
    fileprivate mutating func complete(_ defaults: JSONObject) {
        guard case .object(var members) = self else { return }
        for (name, value) in defaults where members[name] == nil { members[name] = value }
        self = .object(members)
    }

    fileprivate mutating func completeTrigger() {
        switch self["type"] {
        case "event":
            // The API accepts no shorter time for the absence of events.
            let within: JSONValue = self["posture"] == "Proactive" ? 10.0 : 0.0
            complete([
                "match": [:], "match_related": [:], "after": [], "expect": [], "for_each": [], "threshold": 1,
                "within": within,
            ])
        case "metric":
            complete(["match": [:], "match_related": [:], "posture": "Metric"])
            self["metric"]?.complete(["range": 300.0, "firing_for": 300.0])
        case "compound", "sequence":
            complete(["within": nil])
            guard case .array(var triggers)? = self["triggers"] else { return }
            for index in triggers.indices { triggers[index].completeTrigger() }
            self["triggers"] = .array(triggers)
        default: break
        }
    }

    fileprivate mutating func completeActions() {
        guard case .array(var actions) = self else { return }
        for index in actions.indices {
            guard let type = actions[index]["type"]?.stringValue else { continue }
            actions[index].complete(Self.actionDefaults[type] ?? [:])
        }
        self = .array(actions)
    }

    private static let actionDefaults: [String: JSONObject] = [
        "run-deployment": [
            "source": "selected", "deployment_id": nil, "parameters": nil, "job_variables": nil, "schedule_after": 0.0,
        ],
        "pause-deployment": ["source": "selected", "deployment_id": nil],
        "resume-deployment": ["source": "selected", "deployment_id": nil],
        "pause-work-pool": ["source": "selected", "work_pool_id": nil],
        "resume-work-pool": ["source": "selected", "work_pool_id": nil],
        "pause-work-queue": ["source": "selected", "work_queue_id": nil],
        "resume-work-queue": ["source": "selected", "work_queue_id": nil],
        "pause-automation": ["source": "selected", "automation_id": nil],
        "resume-automation": ["source": "selected", "automation_id": nil],
        "change-flow-run-state": ["name": nil, "message": nil, "force": false],
        "call-webhook": ["payload": ""],
        "send-notification": ["subject": "Prefect automated notification"],
    ]
}
