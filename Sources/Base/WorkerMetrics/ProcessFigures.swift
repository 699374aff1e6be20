internal import Glibc

/// The process metrics of Prometheus's own client libraries, under the same names.
enum ProcessFigures {
    /// All process metrics in the text format.
    static func text() -> String {
        var text = ""
        func add(_ name: String, _ kind: MetricValues.Kind, _ help: String, _ value: Double?) {
            guard let value else { return }
            text += TextFormat.header(name, kind, help: help) + TextFormat.line(name, "", TextFormat.number(value))
        }
        add("process_cpu_seconds_total", .counter, "Processor time that was used, in seconds.", processorTime)
        add("process_max_fds", .gauge, "How many files may be open.", mostOpenFiles)
        add("process_open_fds", .gauge, "How many files are open.", openFiles)
        add("process_resident_memory_bytes", .gauge, "Memory in use, in bytes.", residentBytes)
        add("process_start_time_seconds", .gauge, "When the process began, in seconds since 1970.", startTime)
        return text
    }

    private static var processorTime: Double? {
        var time = timespec()
        guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return nil }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static var mostOpenFiles: Double? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return Double(limit.rlim_cur)
    }

    private static var openFiles: Double? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // The directory's own two entries and the descriptor that reads it do not count.
        return Double(count - 3)
    }

    private static var residentBytes: Double? {
        let fields = contents("/proc/self/statm")?.split(separator: " ")
        guard let fields, fields.count > 1, let pages = Double(fields[1]) else { return nil }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static let startTime: Double? = {
        // The program's name is in parentheses and may contain any character. The start time is the 20th field after
        // it.
        guard let stat = contents("/proc/self/stat"), let name = stat.lastIndex(of: ")"),
            let boot = contents("/proc/stat")?.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let bootTime = boot.split(separator: " ").last.flatMap({ Double($0) })
        else { return nil }
        let fields = stat[name...].split(separator: " ")
        guard fields.count > 20, let ticks = Double(fields[20]) else { return nil }
        return bootTime + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }()

    private static func contents(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = read(descriptor, &buffer, buffer.count), count > 0 { text += buffer[..<count] }
        return String(decoding: text, as: UTF8.self)
    }
}
