internal import Files
internal import Glibc

/// What `/proc` says about a process.
struct ProcessFacts: Hashable {
    let pid: pid_t
    /// `R`, `S`, `Z`, …
    let state: UInt8
    let parent: pid_t
    let group: pid_t
    let session: pid_t
    /// When it started, in clock ticks since the host did: with the pid it names one process.
    let startTime: UInt64

    /// Whether it has ended and only waits for its parent to notice.
    var isZombie: Bool { state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") }

    /// The process of a number; `nil` when there is none.
    init?(pid: pid_t) {
        guard let bytes = readSystemFile("/proc/\(pid)/stat", limit: 4096) else { return nil }
        self.init(stat: bytes)
    }

    /// Reads the content of `/proc/<pid>/stat`.
    init?(stat bytes: [UInt8]) {
        // The name stands in parentheses and may hold spaces and parentheses itself: what counts is the last one.
        guard let nameEnd = bytes.lastIndex(of: UInt8(ascii: ")")),
            let nameStart = bytes.firstIndex(of: UInt8(ascii: "(")), nameStart < nameEnd,
            let pid = pid_t(String(decoding: bytes[..<nameStart], as: UTF8.self).filter { $0 != " " })
        else { return nil }
        let fields = bytes[(nameEnd + 1)...].split(separator: UInt8(ascii: " "))
        func number<Number: FixedWidthInteger>(_ index: Int) -> Number? {
            guard fields.indices.contains(index) else { return nil }
            return Number(String(decoding: fields[index], as: UTF8.self))
        }
        guard let state = fields.first?.first, let parent: pid_t = number(1), let group: pid_t = number(2),
            let session: pid_t = number(3), let startTime: UInt64 = number(19)
        else { return nil }
        self.pid = pid
        self.state = state
        self.parent = parent
        self.group = group
        self.session = session
        self.startTime = startTime
    }

    /// All processes that can be seen.
    static func all() -> [ProcessFacts] {
        guard let directory = opendir("/proc") else { return [] }
        defer { closedir(directory) }
        var found: [ProcessFacts] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix(while: { $0 != 0 }), as: UTF8.self)
            }
            if let pid = pid_t(name), let facts = ProcessFacts(pid: pid) { found.append(facts) }
        }
        return found
    }

    /// A variable of the environment with which a process was started; `nil` when it has none or may not be read.
    static func environmentValue(of pid: pid_t, _ name: String) -> String? {
        guard let bytes = readSystemFile("/proc/\(pid)/environ") else { return nil }
        let prefix = Array((name + "=").utf8)
        for entry in bytes.split(separator: 0) where entry.starts(with: prefix) {
            return String(decoding: entry.dropFirst(prefix.count), as: UTF8.self)
        }
        return nil
    }
}

/// Where processes are: the host, its current boot, and the namespace that gives pids their meaning.
struct ProcessPlace: Hashable, Sendable {
    let host: String
    let bootID: String
    let pidNamespace: String

    /// Where this process is.
    static let current: ProcessPlace = {
        var name = [CChar](repeating: 0, count: 256)
        let hasName = gethostname(&name, name.count - 1) == 0
        let bootID = readSystemFile("/proc/sys/kernel/random/boot_id").map { String(decoding: $0, as: UTF8.self) }
        var target = [CChar](repeating: 0, count: 64)
        let length = readlink("/proc/self/ns/pid", &target, target.count)
        return ProcessPlace(
            host: hasName ? text(name[...]) : "",
            bootID: bootID?.filter { $0 != "\n" } ?? "",
            pidNamespace: length > 0 ? text(target[..<length]) : "")
    }()

    private static func text(_ characters: ArraySlice<CChar>) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// The bytes of a file that the kernel makes, up to a limit; `nil` when it cannot be read.
private func readSystemFile(_ path: String, limit: Int = 1 << 20) -> [UInt8]? {
    Descriptor(owning: open(path, O_RDONLY | O_CLOEXEC)).flatMap { readBytes($0, limit: limit) }
}
