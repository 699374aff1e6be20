import JobTemplates
import OrderedCollections
import PrefectJSON
import Testing

@Suite("The trace context of a flow run")
struct TraceContextTests {
    private static let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    private func environment(_ labels: JSONValue, env: JSONValue = [:], _ trace: TraceContext? = nil) throws -> String?
    {
        let run: JSONValue = ["id": "run", "name": "a-run", "labels": labels]
        let context = PreparationContext(flowRun: run, flow: nil, traceContext: trace)
        return try BaseJobConfiguration(rendered: ["env": env]).prepare(for: context).env["TRACEPARENT"]
    }

    @Test("the trace context in a run's label is in the job's environment")
    func handedOn() throws {
        let labels: JSONValue = ["__OTEL_TRACEPARENT": .string(Self.traceparent)]
        #expect(try environment(labels) == Self.traceparent)
        #expect(try environment(["other": "label"]) == nil)
        #expect(try environment(nil) == nil)
    }

    @Test("the worker's trace context and the job's own variable take precedence over the label")
    func precedence() throws {
        let labels: JSONValue = ["__OTEL_TRACEPARENT": .string(Self.traceparent)]
        let other = Self.traceparent.replacing("b7ad6b7169203331", with: "00f067aa0ba902b7")
        #expect(try environment(labels, TraceContext(traceparent: other)) == other)
        #expect(try environment(labels, env: ["TRACEPARENT": "mine"]) == "mine")
        #expect(try environment(labels, env: ["TRACEPARENT": nil]) == nil)
    }

    @Test(
        "an invalid trace context is not passed to the job",
        arguments: [
            "", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-line\nbreak",
            "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
        ])
    func refused(text: String) throws {
        #expect(TraceContext(traceparent: text) == nil)
        #expect(try environment(["__OTEL_TRACEPARENT": .string(text)]) == nil)
    }

    @Test("a trace context of a later version may have more fields")
    func later() {
        let text = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes"
        #expect(TraceContext(traceparent: text)?.traceparent == text)
    }

    @Test("a label that is not a string is ignored")
    func number() throws {
        #expect(try environment(["__OTEL_TRACEPARENT": 1]) == nil)
    }
}
