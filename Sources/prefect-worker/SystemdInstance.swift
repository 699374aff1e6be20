/// The instance of a systemd unit, `NAME` in `prefect-worker@NAME.service`, as the specifier `%i` gives it.
enum SystemdInstance {
    /// Returns the name that an instance stands for. systemd reads a hyphen as a slash. Here, it stays a hyphen,
    /// because people write names with hyphens. `\xHH` is a byte, as `systemd-escape` writes the characters that a
    /// unit's name cannot contain.
    static func name(of instance: String) -> String {
        let bytes = Array(instance.utf8)
        var name: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let escape = bytes[index...].prefix(4)
            if escape.count == 4, escape.starts(with: #"\x"#.utf8),
                let byte = UInt8(String(decoding: escape.dropFirst(2), as: UTF8.self), radix: 16)
            {
                name.append(byte)
                index += 4
            } else {
                name.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: name, as: UTF8.self)
    }
}
