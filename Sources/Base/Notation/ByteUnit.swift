/// The units of numbers of bytes, to the base 1024.
package enum ByteUnit {
    /// The number of bytes of a unit `K`, `M`, `G` or `T`, in either case; `nil` for any other letter.
    package static func size(of letter: Character) -> Double? {
        switch letter {
        case "k", "K": 1024
        case "m", "M": 1_048_576
        case "g", "G": 1_073_741_824
        case "t", "T": 1_099_511_627_776
        default: nil
        }
    }
}
