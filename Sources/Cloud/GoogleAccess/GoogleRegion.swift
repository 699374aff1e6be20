package import BackendKit

/// Names of regions, which become a part of host names.
package enum GoogleRegion {
    /// The name, when it can be a region.
    ///
    /// Throws ``InfrastructureError`` of the kind `refused`.
    package static func check(_ name: String) throws(InfrastructureError) -> String {
        let isName =
            (1...40).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
            }
        guard isName else {
            throw InfrastructureError(
                .refused,
                "The job variable 'region' is '\(name.prefix(80))', which is no region; use one like us-central1")
        }
        return name
    }
}
