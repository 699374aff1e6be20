internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
public import PrefectJSON

/// An answer of a server.
public struct HTTPAnswer: Sendable {
    /// The status.
    public let status: Int
    /// The headers in their order.
    public let headers: [(name: String, value: String)]
    /// The body's bytes.
    public let rawBody: [UInt8]

    /// The body; `null` when there is none or it is not JSON.
    public var body: JSONValue { (try? JSONValue(parsing: rawBody)) ?? .null }

    /// A header's value; the name's case does not matter.
    public func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

/// The connection ended before the answer was complete.
struct AnswerIncomplete: Error, CustomStringConvertible {
    var description: String { "the connection ended before the answer was complete" }
}

/// One HTTP/1.1 request on its own connection.
enum HTTPExchange {
    static func send(
        _ method: String, host: String, port: Int, path: String, headers: [(name: String, value: String)],
        body: [UInt8]?, timeout: Duration
    ) async throws -> HTTPAnswer {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: HTTPAnswer.self)
        var head = HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: method), uri: path)
        head.headers.add(name: "host", value: "\(host):\(port)")
        head.headers.add(name: "connection", value: "close")
        for (name, value) in headers { head.headers.add(name: name, value: value) }
        if let body {
            head.headers.add(name: "content-type", value: "application/json")
            head.headers.add(name: "content-length", value: String(body.count))
        }
        let request = head
        let alarm = loop.scheduleTask(in: TimeAmount(timeout)) { promise.fail(ChannelError.connectTimeout(.zero)) }
        defer { alarm.cancel() }
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: loop)
                .connectTimeout(TimeAmount(timeout))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        try pipeline.addHTTPClientHandlers()
                        try pipeline.addHandler(Collector(promise))
                    }
                }
                .connect(host: host, port: port).get()
        } catch {
            promise.fail(error)
            throw error
        }
        channel.write(HTTPClientRequestPart.head(request), promise: nil)
        if let body { channel.write(HTTPClientRequestPart.body(.byteBuffer(.init(bytes: body))), promise: nil) }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        let answer = await withTaskCancellationHandler {
            await promise.futureResult.resultOfFuture()
        } onCancel: {
            channel.close(promise: nil)
        }
        try? await channel.close().get()
        return try answer.get()
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = HTTPClientResponsePart
        private let promise: EventLoopPromise<HTTPAnswer>
        private var head: HTTPResponseHead?
        private var body: [UInt8] = []

        init(_ promise: EventLoopPromise<HTTPAnswer>) { self.promise = promise }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): self.head = head
            case .body(let buffer): body += buffer.readableBytesView
            case .end:
                guard let head else { return }
                let headers = head.headers.map { (name: $0.name, value: $0.value) }
                promise.succeed(HTTPAnswer(status: Int(head.status.code), headers: headers, rawBody: body))
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            promise.fail(error)
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { promise.fail(AnswerIncomplete()) }
    }
}

extension EventLoopFuture where Value: Sendable {
    fileprivate func resultOfFuture() async -> Result<Value, any Error> {
        do { return .success(try await get()) } catch { return .failure(error) }
    }
}
