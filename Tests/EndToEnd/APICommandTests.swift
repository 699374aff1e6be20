import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite("The command api", .bounded)
struct APICommandTests {
    /// Runs `prefect-worker api` with a fake API.
    private func call(
        _ api: FakePrefectAPI, _ arguments: [String], variables: [String: String] = [:], files: [String: String] = [:]
    ) async throws -> WorkerProgram.Outcome {
        try await withTemporaryDirectory { directory in
            for (name, text) in files { try Data(text.utf8).write(to: URL(filePath: "\(directory)/\(name)")) }
            let environment = WorkerProgram.environment(home: directory, ["PREFECT_API_URL": api.url]).merging(
                variables
            ) {
                $1
            }
            return try await WorkerProgram.run(["api"] + arguments, environment: environment, in: directory)
        }
    }

    @Test("an answer is printed as JSON, for a request with data, headers and credentials")
    func request() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "a/b")
            let pool = try await call(
                api, ["get", "/work_pools/a%2Fb", "-H", "X-Trace: 7", "--header", "X-Other:8"],
                variables: ["PREFECT_API_KEY": "pnu_secret"])
            #expect(pool.status == .exited(0))
            #expect(try JSONValue(parsing: pool.output.joined(separator: "\n"))["name"] == "a/b")
            let sent = try #require(api.requests("GET", "/work_pools/*").first)
            #expect(sent.header("x-trace") == "7" && sent.header("x-other") == "8")
            #expect(sent.header("authorization") == "Bearer pnu_secret")

            let body = #"{"is_paused": true}"#
            let inline = try await call(api, ["PATCH", "/work_pools/a%2Fb", "--data", body])
            let file = try await call(api, ["PATCH", "/work_pools/a%2Fb", "--data", "@body"], files: ["body": body])
            #expect(inline.status == .exited(0) && inline.text.isEmpty && file.status == .exited(0))
            let changes = api.requests("PATCH", "/work_pools/*")
            #expect(changes.map(\.body) == [["is_paused": true], ["is_paused": true]])
        }
    }

    @Test("--all reads all pages and prints one array")
    func pages() async throws {
        try await withFakePrefectAPI { api in
            let runs = api.scheduleRuns(430, deployment: api.addDeployment(name: "d", pool: api.addPool(name: "p")))
            let outcome = try await call(api, ["POST", "/flow_runs/filter", "--all"])
            let found = try JSONValue(parsing: outcome.output.joined(separator: "\n")).arrayValue ?? []
            #expect(Set(found.compactMap { $0["id"]?.stringValue }) == Set(runs) && found.count == 430)
            #expect(api.requests("POST", "/flow_runs/filter").map { $0.body["offset"] } == [0, 200, 400])

            let none = try await call(
                api, ["POST", "/flow_runs/filter", "--all", "--data", #"{"flow_runs": {"name": {"any_": []}}}"#])
            #expect(none.output == ["[]"])

            let single = try await call(api, ["GET", "/flow_runs/\(runs[0])", "--all"])
            #expect(single.status == .exited(1) && single.text.contains("is no list of objects"))
        }
    }

    @Test(
        "a failure is one line, with an exit status for its class",
        arguments: [
            (["GET", "/flow_runs/00000000-0000-0000-0000-000000000000"], nil, 4, "not found"),
            (["GET", "/work_pools/p"], 401, 5, "PREFECT_API_KEY"), (["GET", "/work_pools/p"], 500, 6, "500"),
            (["GET", "/work_pools/p"], 409, 3, "409"), (["GET", "/work_pools/p"], -1, 7, "GET /work_pools/p"),
            (["GET", "/work_pools/p"], -2, 8, "not Prefect's"),
            (["PATCH", "/work_pools/p", "--data", "{"], nil, 1, "not valid JSON"),
            (["PATCH", "/work_pools/p", "--data", "@none"], nil, 1, "'none' cannot be read"),
            (["GET", "work_pools"], nil, 1, "should be a path"),
            (["GET", "/a", "-H", "novalue"], nil, 1, "'Name: value'"),
        ] as [([String], Int?, Int32, String)])
    func failures(arguments: [String], status: Int?, exit: Int32, text: String) async throws {
        try await withFakePrefectAPI { api in
            switch status {
            case .some(-1): api.script(path: "/work_pools/*", answer: .closeConnection)
            case .some(-2):
                api.script(
                    path: "/work_pools/*",
                    answer: .raw(Array("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>".utf8)))
            case let status?: api.script(path: "/work_pools/*", answer: .status(status))
            case nil: break
            }
            let outcome = try await call(api, arguments, variables: ["PREFECT_CLIENT_MAX_RETRIES": "0"])
            #expect(outcome.status == .exited(exit), "\(outcome.text)")
            #expect(
                outcome.output.isEmpty && outcome.errors.count == 1 && outcome.text.contains(text), "\(outcome.text)")
        }
    }
}
