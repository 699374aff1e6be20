import JSON
import JobTemplates
import OrderedCollections
import Testing

@Suite("The trace that a flow run is part of")
struct TraceContextTests {
    private static let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    private func environment(_ labels: JSONValue, env: JSONValue = [:], _ trace: TraceContext? = nil) throws -> String?
    {
        let run: JSONValue = ["id": "run", "name": "a-run", "labels": labels]
        let context = PreparationContext(flowRun: run, flow: nil, traceContext: trace)
        return try BaseJobConfiguration(rendered: ["env": env]).prepare(for: context).env["TRACEPARENT"]
    }

    @Test("the job has it in its environment")
    func handedOn() throws {
        let labels: JSONValue = ["__OTEL_TRACEPARENT": .string(Self.traceparent)]
        #expect(try environment(labels) == Self.traceparent)
        #expect(try environment(["other": "label"]) == nil)
        #expect(try environment(nil) == nil)
    }

    @Test("what the worker goes on with, and what the job's own variables say, goes before the label")
    func precedence() throws {
        let labels: JSONValue = ["__OTEL_TRACEPARENT": .string(Self.traceparent)]
        let other = Self.traceparent.replacing("b7ad6b7169203331", with: "00f067aa0ba902b7")
        #expect(try environment(labels, TraceContext(traceparent: other)) == other)
        #expect(try environment(labels, env: ["TRACEPARENT": "mine"]) == "mine")
        #expect(try environment(labels, env: ["TRACEPARENT": nil]) == nil)
    }

    @Test(
        "what is none is not handed on",
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

    @Test("a version that is yet to come may have more to say")
    func later() {
        let text = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes"
        #expect(TraceContext(traceparent: text)?.traceparent == text)
    }

    @Test("a label that is no text is none")
    func number() throws {
        #expect(try environment(["__OTEL_TRACEPARENT": 1]) == nil)
    }
}
