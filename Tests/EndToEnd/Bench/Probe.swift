import TestSupport
import Testing

/// Asks a worker how it is.
enum Probe {
    /// The status of the answer to one request.
    static func status(_ path: String, port: Int) async throws -> Int {
        let connection = try await RawConnection.connect(port: port)
        try await connection.sendRequest("GET", path)
        let answer = try await connection.receive(until: "\r\n\r\n")
        await connection.close()
        return try #require(Int(answer.split(separator: " ")[1]))
    }
}
