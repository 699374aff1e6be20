internal import FoundationEssentials

/// The memory that the system has assigned to this process.
public enum ResidentMemory {
    /// The maximum number of bytes so far.
    public static var peak: Int { kibibytes("VmHWM:") * 1024 }

    /// The current number of bytes.
    public static var current: Int { kibibytes("VmRSS:") * 1024 }

    private static func kibibytes(_ name: String) -> Int {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return 0 }
        let line = status.split(separator: "\n").first { $0.hasPrefix(name) } ?? ""
        return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
    }
}
