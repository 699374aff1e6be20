import Foundation
import PrefectJSON
import Testing

/// The files of the tests.
enum Resource {
    /// The value of a JSON file.
    static func json(_ name: String) throws -> JSONValue {
        let url = try #require(Bundle.module.url(forResource: "Resources/\(name)", withExtension: "json"))
        return try JSONValue(parsing: [UInt8](Data(contentsOf: url)))
    }

    /// The path of a file.
    static func path(_ name: String, _ extension: String) throws -> String {
        try #require(Bundle.module.url(forResource: "Resources/\(name)", withExtension: `extension`)).path
    }
}
