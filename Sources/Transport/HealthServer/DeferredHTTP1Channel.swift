internal import HummingbirdCore
internal import Logging
internal import NIOCore

/// Hummingbird's HTTP/1 connections, set up when they are handled instead of when they are accepted.
///
/// A connection that is accepted while its server shuts down is dropped without being handled. NIO traps when that
/// happens to a connection that is set up for async use. Here a connection is only a socket until it is handled, and
/// may be dropped. Its event loop then closes it.
struct DeferredHTTP1Channel: ServerChildChannel {
    struct Value: ServerChildChannelValue {
        let channel: any Channel
    }

    let http: HTTP1Channel

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        // Nothing may be read before a parser is in place.
        channel.setOption(.autoRead, value: false).map { Value(channel: channel) }
    }

    func handle(value: Value, logger: Logger) async {
        let channel = value.channel
        let connection: HTTP1Channel.Value
        do {
            connection = try await channel.eventLoop.flatSubmit { http.setup(channel: channel, logger: logger) }.get()
        } catch {
            // The channel was closed in the meantime.
            channel.close(promise: nil)
            return
        }
        // This fails only for a closed channel, which the handling below detects as well.
        channel.setOption(.autoRead, value: true).whenComplete { _ in channel.read() }
        await http.handle(value: connection, logger: logger)
    }
}
