import TestSupport
import Testing

/// Sends the same requests to the fake and to a real server, and compares the answers.
@Suite("the fake API against a real server", .requires(.prefectServer))
struct AgainstRealServerTests {
    @Test("requests about work pools, queues and workers are answered like by the server")
    func pools() async throws {
        try await withComparison { both in
            let template = """
                {"job_configuration":{"command":"{{ command }}"},"variables":{"properties":{"command":{"type":"string"}}}}
                """
            try await both.send("GET", "/work_pools/<mark>-pool")
            try await both.send(
                "POST", "/work_pools/", #"{"name":"<mark>-pool","type":"process","base_job_template":\#(template)}"#,
                as: "pool")
            try await both.send("POST", "/work_pools/", #"{"name":"<mark>-pool","type":"process"}"#)
            try await both.send("POST", "/work_pools/", #"{"name":"Prefect-x","type":"process"}"#)
            try await both.send("POST", "/work_pools/", #"{"type":"process"}"#)
            for template in [#"{"job_configuration":{"a":"{{ b }}"},"variables":{"x":1}}"#, #"{"variables":{"x":1}}"#] {
                try await both.send(
                    "POST", "/work_pools/", #"{"name":"<mark>-odd","base_job_template":\#(template)}"#)
            }
            try await both.send("GET", "/work_pools/<mark>-pool")
            try await both.send("PATCH", "/work_pools/<mark>-pool", #"{"is_paused":true,"concurrency_limit":3}"#)
            try await both.send("GET", "/work_pools/<mark>-pool")
            try await both.send("PATCH", "/work_pools/<mark>-pool", #"{"is_paused":false}"#)
            try await both.send("PATCH", "/work_pools/<mark>-none", #"{"is_paused":false}"#)
            try await both.send("POST", "/work_pools/filter", #"{"work_pools":{"name":{"any_":["<mark>-pool"]}}}"#)
            try await both.send("GET", "/work_pools/<mark>-pool/queues/default")
            try await both.send("GET", "/work_pools/<mark>-pool/queues/none")
            try await both.send("POST", "/work_pools/<mark>-pool/queues", #"{"name":"fast"}"#, as: "queue")
            try await both.send("POST", "/work_pools/<mark>-pool/queues", #"{"name":"fast"}"#)
            try await both.send("POST", "/work_pools/<mark>-pool/queues/filter", "{}")
            try await both.send(
                "POST", "/work_pools/<mark>-pool/queues/filter",
                #"{"work_queues":{"name":{"any_":["fast"]}},"limit":null,"offset":null}"#)
            try await both.send("POST", "/work_pools/<mark>-none/queues/filter", "{}")
            let beat = "/work_pools/<mark>-pool/workers/heartbeat"
            try await both.send("POST", beat, #"{"name":"w","heartbeat_interval_seconds":30}"#)
            try await both.send("POST", beat, #"{"name":"w","heartbeat_interval_seconds":30.0}"#)
            try await both.send("POST", beat, #"{"name":"w","heartbeat_interval_seconds":30.5}"#)
            try await both.send("POST", beat, #"{"heartbeat_interval_seconds":30}"#)
            try await both.send("POST", beat, #"{"name":"w","heartbeat_interval_seconds":30,"return_id":true}"#)
            try await both.send("POST", "/work_pools/<mark>-none/workers/heartbeat", #"{"name":"w"}"#)
            try await both.send("POST", "/work_pools/<mark>-pool/workers/filter", "{}")
            try await both.send("GET", "/work_pools/<mark>-pool")
            try await both.send("DELETE", "/work_pools/<mark>-pool")
            try await both.send("DELETE", "/work_pools/<mark>-pool")
        }
    }

    /// Creates a pool `<mark>-pool`, a flow `<flow>` and a deployment `<deployment>`.
    private func setUp(_ both: Comparison, deployment members: String = "") async throws {
        try await both.send("POST", "/work_pools/", #"{"name":"<mark>-pool","type":"process"}"#, as: "pool")
        try await both.send("POST", "/flows/", #"{"name":"<mark>-flow"}"#, as: "flow")
        try await both.send(
            "POST", "/deployments/",
            #"{"name":"d","flow_id":"<flow>","work_pool_name":"<mark>-pool","tags":["t"]\#(members)}"#,
            as: "deployment")
    }

    private func createRun(_ both: Comparison, _ name: String, _ members: String = "") async throws {
        try await both.send(
            "POST", "/deployments/<deployment>/create_flow_run", #"{"name":"\#(name)"\#(members)}"#, as: name)
    }

    @Test("requests about flows and deployments are answered like by the server")
    func deployments() async throws {
        try await withComparison { both in
            try await setUp(both, deployment: #","entrypoint":"f.py:f","job_variables":{"a":1},"concurrency_limit":2"#)
            try await both.send("POST", "/flows/", #"{"name":"<mark>-flow"}"#)
            try await both.send("GET", "/flows/<flow>")
            try await both.send("GET", "/flows/name/<mark>-flow")
            try await both.send("GET", "/flows/00000000-0000-4000-8000-000000000000")
            try await both.send("GET", "/deployments/<deployment>")
            try await both.send("GET", "/deployments/name/<mark>-flow/d")
            try await both.send("GET", "/deployments/name/<mark>-flow/none")
            try await both.send("GET", "/deployments/00000000-0000-4000-8000-000000000000")
            try await both.send("GET", "/deployments/no-id")
            try await both.send(
                "POST", "/deployments/", #"{"name":"e","flow_id":"<flow>","work_pool_name":"<mark>-none"}"#)
            try await both.send("POST", "/deployments/<deployment>/create_flow_run", #"{"parameters":3}"#)
            try await both.send("DELETE", "/deployments/<deployment>")
            try await both.send("DELETE", "/deployments/<deployment>")
        }
    }

    @Test("a worker's requests for a run are answered like by the server")
    func runOfAWorker() async throws {
        try await withComparison { both in
            try await setUp(both)
            try await createRun(both, "run", #","job_variables":{"b":2},"tags":["u"]"#)
            try await both.send("GET", "/flow_runs/<run>")
            let poll = "/work_pools/<mark>-pool/get_scheduled_flow_runs"
            try await both.send(
                "POST", poll, #"{"work_queue_names":[],"scheduled_before":"2090-01-01 00:00:00.5+00:00"}"#)
            try await both.send("POST", poll, #"{"work_queue_names":["default"],"limit":5}"#)
            try await both.send("POST", poll, #"{"scheduled_before":"2001-01-01 00:00:00+00:00"}"#)
            try await both.send("POST", poll, #"{"work_queue_names":["default","none"]}"#)
            try await both.send("POST", poll, #"{"limit":201}"#)
            try await both.send("POST", poll, #"{"scheduled_before":"soon"}"#)
            try await both.send("POST", "/work_pools/<mark>-none/get_scheduled_flow_runs", "{}")
            let transition = #""state_details":{"transition_id":"11111111-1111-4111-8111-111111111111"}"#
            try await both.propose(#"{"type":"PENDING","name":"Pending",\#(transition)}"#, for: "run")
            try await both.propose(#"{"type":"PENDING","name":"Pending",\#(transition)}"#, for: "run")
            try await both.propose(#"{"type":"PENDING","name":"Pending"}"#, for: "run")
            try await both.send("POST", poll, #"{"work_queue_names":[]}"#)
            try await both.send("PATCH", "/flow_runs/<run>/labels", #"{"prefect.worker.name":"w"}"#)
            try await both.propose(#"{"type":"PENDING","name":"Submitting"}"#, for: "run")
            try await both.propose(#"{"type":"PENDING","name":"Submitting"}"#, for: "run")
            try await both.send("PATCH", "/flow_runs/<run>", #"{"infrastructure_pid":"77"}"#)
            try await both.send("GET", "/flow_runs/<run>")
            try await both.propose(#"{"type":"RUNNING"}"#, for: "run")
            try await both.propose(#"{"type":"PENDING"}"#, for: "run")
            try await both.send("GET", "/flow_runs/<run>")
            try await both.propose(#"{"type":"COMPLETED","message":"done"}"#, for: "run")
            for type in ["CRASHED", "CANCELLING", "PAUSED"] {
                try await both.propose(#"{"type":"\#(type)"}"#, for: "run")
            }
            try await both.propose(#"{"type":"CRASHED","message":"so it is"}"#, for: "run", force: true)
            try await both.send("GET", "/flow_runs/<run>")
            try await both.propose(#"{"type":"PENDING"}"#, for: "run")
            try await both.send(
                "POST", "/flow_runs/filter",
                """
                {"flow_runs":{"id":{"any_":["<run>"]},"state":{"type":{"any_":["PENDING","RUNNING"]},
                "name":{"any_":["Pending"]}}},"limit":10}
                """)
            try await both.send(
                "POST", "/flow_runs/filter",
                #"{"flow_runs":{"id":{"any_":["<run>"]},"state":{"type":{"any_":["RUNNING"]}}}}"#)
            try await both.send("GET", "/flow_run_states/?flow_run_id=<run>")
        }
    }

    @Test("invalid requests are refused with the server's statuses")
    func refusals() async throws {
        try await withComparison { both in
            try await setUp(both)
            try await createRun(both, "run")
            try await both.send("POST", "/flow_runs/<run>/set_state", #"{"state":{"type":"NOPE"}}"#)
            try await both.send("POST", "/flow_runs/<run>/set_state", "{}")
            let none = "/flow_runs/00000000-0000-4000-8000-000000000000"
            try await both.send("GET", none)
            try await both.send("PATCH", none, #"{"infrastructure_pid":"1"}"#)
            try await both.send("POST", "\(none)/set_state", #"{"state":{"type":"CRASHED"}}"#)
            try await both.send("GET", "/flow_runs/no-id")
            try await both.send("PUT", "/flow_runs/filter", "{}")
            try await both.send("GET", "/no/such/thing")
            try await both.send("POST", "/flows", #"{"name":"x"}"#)
            try await both.send("POST", "/flow_runs/filter", #"{"limit":500}"#)
            try await both.send("POST", "/logs/", #"[{"name":"x","level":20}]"#)
            try await both.send("POST", "/logs/", "{}")
            try await both.send("POST", "/events", #"[{"event":"x"}]"#)
            try await both.send("GET", "/csrf-token?client=00000000-0000-4000-8000-000000000000")
            try await both.send("GET", "/variables/name/none_such")
            try await both.send("GET", "/block_documents/00000000-0000-4000-8000-000000000000")
            try await both.send("GET", "/block_types/slug/secret/block_documents/name/none-such")
            try await both.send("GET", "/health")
            try await both.send("GET", "/admin/version", comparing: [])
        }
    }

    @Test("transitions of cancelling, waiting and late runs have the same outcomes as on the server")
    func otherTransitions() async throws {
        try await withComparison { both in
            try await setUp(both)
            try await createRun(both, "waiting")
            try await both.propose(#"{"type":"CANCELLING"}"#, for: "waiting", comparingReason: false)
            try await both.propose(#"{"type":"PENDING"}"#, for: "waiting")
            try await createRun(both, "forced")
            try await both.propose(#"{"type":"CANCELLING"}"#, for: "forced", force: true, comparingReason: false)
            try await createRun(both, "running")
            try await both.propose(#"{"type":"RUNNING"}"#, for: "running")
            try await both.propose(#"{"type":"CANCELLING"}"#, for: "running")
            try await both.propose(#"{"type":"PENDING"}"#, for: "running", comparingReason: false)
            try await both.propose(#"{"type":"CRASHED"}"#, for: "running", comparingReason: false)
            try await both.propose(#"{"type":"CANCELLED"}"#, for: "running")
            try await both.propose(#"{"type":"SCHEDULED"}"#, for: "running")
            try await both.propose(#"{"type":"SCHEDULED","name":"Late"}"#, for: "running")
            try await both.propose(#"{"type":"SCHEDULED","name":"Late"}"#, for: "running", comparingReason: false)
            try await createRun(
                both, "future",
                #","state":{"type":"SCHEDULED","state_details":{"scheduled_time":"2090-01-01T00:00:00Z"}}"#)
            try await both.send(
                "POST", "/flow_runs/<future>/set_state", #"{"state":{"type":"RUNNING"}}"#,
                comparing: ["state", "status"])
            try await both.propose(#"{"type":"PENDING"}"#, for: "future")
            try await both.send("POST", "/flow_runs/", #"{"flow_id":"<flow>","name":"bare"}"#, as: "bare")
            try await both.propose(#"{"type":"COMPLETED"}"#, for: "bare")
            try await both.propose(#"{"type":"SCHEDULED"}"#, for: "bare", comparingReason: false)
        }
    }

    @Test("a deployment's limit takes and returns slots, and queues or cancels runs above the limit")
    func concurrencyLimits() async throws {
        try await withComparison { both in
            try await setUp(both, deployment: #","concurrency_limit":1"#)
            try await createRun(both, "first")
            try await createRun(both, "second")
            try await both.propose(#"{"type":"PENDING"}"#, for: "first")
            try await both.propose(#"{"type":"PENDING","name":"Submitting"}"#, for: "first")
            try await both.propose(#"{"type":"PENDING"}"#, for: "second")
            try await both.send("GET", "/flow_runs/<second>")
            try await both.propose(#"{"type":"CRASHED"}"#, for: "first")
            try await both.propose(#"{"type":"PENDING"}"#, for: "second")
            try await both.send("GET", "/deployments/<deployment>")
            try await both.send(
                "POST", "/deployments/",
                """
                {"name":"c","flow_id":"<flow>","work_pool_name":"<mark>-pool","concurrency_limit":1,
                "concurrency_options":{"collision_strategy":"CANCEL_NEW"}}
                """, as: "deployment", comparing: ["name", "work_queue_name"])
            try await createRun(both, "third")
            try await createRun(both, "fourth")
            try await both.propose(#"{"type":"PENDING"}"#, for: "third")
            try await both.propose(#"{"type":"PENDING"}"#, for: "fourth")
        }
    }

    @Test("a deleted deployment's scheduled runs are deleted, and its other runs stay but cannot be claimed")
    func deletedDeployment() async throws {
        try await withComparison { both in
            try await setUp(both)
            try await createRun(both, "waiting")
            try await createRun(both, "failed")
            try await both.propose(#"{"type":"FAILED"}"#, for: "failed")
            try await both.send("DELETE", "/deployments/<deployment>")
            try await both.send("GET", "/flow_runs/<waiting>")
            try await both.send("GET", "/flow_runs/<failed>")
            try await both.propose(#"{"type":"PENDING"}"#, for: "failed")
        }
    }

    @Test("the runs of a deleted pool are in no queue")
    func deletedPool() async throws {
        try await withComparison { both in
            try await setUp(both)
            try await createRun(both, "run")
            try await both.send("DELETE", "/work_pools/<mark>-pool")
            try await both.send("GET", "/flow_runs/<run>")
            try await both.send("GET", "/deployments/<deployment>")
        }
    }

    @Test("polls follow the order of priorities and times, and both limits")
    func pollOrder() async throws {
        try await withComparison { both in
            try await setUp(both)
            try await both.send("POST", "/work_pools/<mark>-pool/queues", #"{"name":"late"}"#, as: "queue")
            // The times are in the future, because the server would mark due runs as late during the test.
            let state = { (time: String) in
                #","state":{"type":"SCHEDULED","state_details":{"scheduled_time":"\#(time)T00:00:00Z"}}"#
            }
            try await createRun(both, "b", state("2090-01-02"))
            try await createRun(both, "a", state("2090-01-01"))
            try await createRun(both, "c", state("2090-01-03"))
            try await both.send(
                "POST", "/deployments/",
                """
                {"name":"l","flow_id":"<flow>","work_pool_name":"<mark>-pool","work_queue_name":"late"}
                """, as: "deployment", comparing: ["work_queue_name"])
            try await createRun(both, "e", state("2089-01-01"))
            let poll = "/work_pools/<mark>-pool/get_scheduled_flow_runs"
            try await both.send("POST", poll, "{}")
            try await both.send("POST", poll, #"{"limit":2}"#)
            try await both.send("POST", poll, #"{"work_queue_names":["late"]}"#)
            try await both.send("POST", poll, #"{"scheduled_after":"2090-01-02 12:00:00+00:00"}"#)
            try await both.send("PATCH", "/work_pools/<mark>-pool", #"{"concurrency_limit":2}"#)
            try await both.propose(#"{"type":"PENDING"}"#, for: "a")
            try await both.send("POST", poll, "{}")
            try await both.send("GET", "/work_pools/<mark>-pool")
            try await both.send("PATCH", "/work_pools/<mark>-pool", #"{"is_paused":true}"#)
            try await both.send("POST", poll, "{}")
        }
    }

    @Test("logs, variables and events are accepted and returned like by the server")
    func records() async throws {
        try await withComparison { both in
            try await setUp(both)
            try await createRun(both, "run")
            try await both.send(
                "POST", "/logs/",
                """
                [{"name":"prefect.flow_runs.worker","level":20,"message":"hello","timestamp":"2026-01-01T00:00:00.5Z",
                "flow_run_id":"<run>","task_run_id":null}]
                """)
            let name = both.mark.replacing("-", with: "_")
            try await both.send("POST", "/variables/", #"{"name":"\#(name)","value":{"a":[1,2.0,null]}}"#)
            try await both.send("GET", "/variables/name/\(name)")
            try await both.send("DELETE", "/variables/name/\(name)")
            try await both.send(
                "POST", "/events",
                """
                [{"occurred":"2026-01-01T00:00:00Z","event":"test-support.checked","id":"<run>",
                "resource":{"prefect.resource.id":"test-support"},"related":[],"payload":{}}]
                """)
        }
    }
}
