internal import Glibc
internal import PrefectFiles

/// The facts that `/proc` reports about a process.
struct ProcessFacts: Hashable {
    let pid: pid_t
    /// The state: `R`, `S`, `Z`, …
    let state: UInt8
    let parent: pid_t
    let group: pid_t
    let session: pid_t
    /// The start time, in clock ticks since the host booted. Together with the pid, it identifies one process.
    let startTime: UInt64

    /// Whether the process has ended and only waits until its parent reaps it.
    var isZombie: Bool { state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") }

    /// Reads the facts of the process with a pid; `nil` when no such process exists.
    init?(pid: pid_t) {
        guard let bytes = readSystemFile("/proc/\(pid)/stat", limit: 4096) else { return nil }
        self.init(stat: bytes)
    }

    /// Reads the content of `/proc/<pid>/stat`.
    init?(stat bytes: [UInt8]) {
        // The name is in parentheses and may itself contain spaces and parentheses, so the last parenthesis counts.
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

    /// All processes that are visible to this process.
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

    /// Returns a variable of the environment with which a process was started. Returns `nil` when the process does not
    /// have it, or when this process may not read it.
    static func environmentValue(of pid: pid_t, _ name: String) -> String? {
        guard let bytes = readSystemFile("/proc/\(pid)/environ") else { return nil }
        let prefix = Array((name + "=").utf8)
        for entry in bytes.split(separator: 0) where entry.starts(with: prefix) {
            return String(decoding: entry.dropFirst(prefix.count), as: UTF8.self)
        }
        return nil
    }
}

/// The location of processes: the host, its current boot, and the namespace of their pids.
struct ProcessPlace: Hashable, Sendable {
    let host: String
    let bootID: String
    let pidNamespace: String

    /// The location of this process.
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

/// Returns the bytes of a file that the kernel provides, at most `limit`. Returns `nil` when the file cannot be read.
private func readSystemFile(_ path: String, limit: Int = 1 << 20) -> [UInt8]? {
    Descriptor(owning: open(path, O_RDONLY | O_CLOEXEC)).flatMap { readBytes($0, limit: limit) }
}
