internal import Notation
internal import Synchronization
package import Tracing

/// The identity of a span, as `traceparent` transmits it.
struct SpanIdentity: Sendable, Hashable {
    /// 32 hexadecimal digits.
    var trace: String
    /// 16 hexadecimal digits.
    var span: String
    var isRecorded: Bool
}

private enum SpanKey: ServiceContextKey {
    typealias Value = SpanIdentity
}

extension ServiceContext {
    /// The span that new spans belong to.
    var span: SpanIdentity? {
        get { self[SpanKey.self] }
        set { self[SpanKey.self] = newValue }
    }
}

/// Records spans for a ``SpanQueue``, and reads and writes `traceparent` of W3C Trace Context.
package struct SpanTracer: Tracer {
    package typealias Span = QueuedSpan

    private let queue: SpanQueue
    private let sampler: Sampler

    /// A tracer whose spans go to a queue.
    package init(queue: SpanQueue, sampler: Sampler) {
        self.queue = queue
        self.sampler = sampler
    }

    package func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
    ) -> QueuedSpan {
        var context = context()
        let parent = context.span
        let random = UInt64.random(in: 1...UInt64.max)
        let trace =
            parent?.trace ?? hexadecimal(UInt64.random(in: 0...UInt64.max), width: 16) + hexadecimal(random, width: 16)
        let low = UInt64(trace.suffix(16), radix: 16) ?? random
        context.span = SpanIdentity(
            trace: trace, span: hexadecimal(UInt64.random(in: 1...UInt64.max), width: 16),
            isRecorded: sampler.records(parent: parent?.isRecorded, random: low))
        return QueuedSpan(
            name: operationName, kind: kind, context: context, parent: parent?.span,
            start: instant().nanosecondsSinceEpoch, queue: queue)
    }

    package func startAnySpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
    ) -> any Tracing.Span {
        startSpan(
            operationName, context: context(), ofKind: kind, at: instant(), function: function, file: fileID, line: line
        )
    }

    /// Does nothing: the exporter sends all spans by itself.
    package func forceFlush() {}

    // MARK: Instrument

    private static let header = "traceparent"

    package func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {
        guard let text = extractor.extract(key: Self.header, from: carrier) else { return }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[1].utf8.count == 32, parts[2].utf8.count == 16,
            let flags = UInt8(parts[3], radix: 16)
        else { return }
        context.span = SpanIdentity(trace: String(parts[1]), span: String(parts[2]), isRecorded: flags & 1 == 1)
    }

    package func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {
        guard let span = context.span else { return }
        injector.inject(
            "00-\(span.trace)-\(span.span)-\(span.isRecorded ? "01" : "00")", forKey: Self.header, into: &carrier)
    }
}

/// A span that goes to a ``SpanQueue`` when it ends.
package final class QueuedSpan: Tracing.Span {
    private struct State {
        var name: String
        var attributes = SpanAttributes()
        var events: [SpanEvent] = []
        var links: [SpanLink] = []
        var status: SpanStatus?
        var hasEnded = false
    }

    package let context: ServiceContext
    private let kind: SpanKind
    private let parent: String?
    private let start: UInt64
    private let queue: SpanQueue
    private let state: Mutex<State>

    /// The greatest number of events, and of links, in a span.
    private static let limit = 128

    init(name: String, kind: SpanKind, context: ServiceContext, parent: String?, start: UInt64, queue: SpanQueue) {
        self.kind = kind
        self.context = context
        self.parent = parent
        self.start = start
        self.queue = queue
        state = Mutex(State(name: name))
    }

    package var operationName: String {
        get { state.withLock { $0.name } }
        set { state.withLock { $0.name = newValue } }
    }

    package var attributes: SpanAttributes {
        get { state.withLock { $0.attributes } }
        set { state.withLock { $0.attributes = newValue } }
    }

    package var isRecording: Bool { context.span?.isRecorded == true && state.withLock { !$0.hasEnded } }

    package func setStatus(_ status: SpanStatus) { state.withLock { $0.status = status } }

    package func addEvent(_ event: SpanEvent) {
        state.withLock { if $0.events.count < Self.limit { $0.events.append(event) } }
    }

    package func addLink(_ link: SpanLink) {
        state.withLock { if $0.links.count < Self.limit { $0.links.append(link) } }
    }

    package func recordError<Instant: TracerInstant>(
        _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
    ) {
        var attributes = attributes
        attributes["exception.type"] = String(describing: type(of: error))
        attributes["exception.message"] = "\(error)"
        addEvent(SpanEvent(name: "exception", at: instant(), attributes: attributes))
        state.withLock { if $0.status == nil { $0.status = SpanStatus(code: .error) } }
    }

    package func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        guard let identity = context.span else { return }
        let state: State? = state.withLock { state in
            defer { state.hasEnded = true }
            return state.hasEnded ? nil : state
        }
        guard let state, identity.isRecorded else { return }
        queue.add(
            EndedSpan(
                identity: identity, parent: parent, name: state.name, kind: kind, start: start,
                end: instant().nanosecondsSinceEpoch, attributes: state.attributes, events: state.events,
                links: state.links, status: state.status))
    }
}
