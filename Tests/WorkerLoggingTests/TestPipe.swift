import Glibc

/// A pipe in place of standard error. Its reading end never blocks.
final class TestPipe: Sendable {
    let writingEnd: Int32
    private let readingEnd: Int32

    /// - Parameters:
    ///   - isNonBlocking: Whether a write to a full pipe fails instead of blocking.
    ///   - size: The capacity in bytes; the default is the smallest that the kernel grants.
    init(isNonBlocking: Bool = false, size: Int32 = 4096) {
        var ends: [Int32] = [0, 0]
        _ = pipe(&ends)
        readingEnd = ends[0]
        writingEnd = ends[1]
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(readingEnd, F_SETFL, O_NONBLOCK)
        if isNonBlocking { _ = fcntl(writingEnd, F_SETFL, O_NONBLOCK) }
        // 1031 is F_SETPIPE_SZ, which Glibc's module does not define.
        _ = fcntl(writingEnd, 1031, size)
    }

    deinit {
        close(readingEnd)
        close(writingEnd)
    }

    /// Makes every further write fail with `EPIPE`.
    func loseReader() {
        // The descriptor stays in use, so that no other file gets its number before `deinit`.
        let other = open("/dev/null", O_RDONLY | O_CLOEXEC)
        dup2(other, readingEnd)
        close(other)
    }

    /// The text received until `isEnough` returns true, or within thirty seconds.
    func read(until isEnough: (String) -> Bool) async throws -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            let count = Glibc.read(readingEnd, &buffer, buffer.count)
            if count > 0 { bytes += buffer[..<count] }
            let text = String(decoding: bytes, as: UTF8.self)
            if isEnough(text) { return text }
            if count <= 0 { try await Task.sleep(for: .milliseconds(1)) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
