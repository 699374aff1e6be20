internal import OrderedCollections
internal import PrefectJSON

/// A table of a document that is being read.
final class TOMLTable {
    /// The statement that defined a table. It decides which further statements may add to the table.
    enum Origin {
        /// No statement so far; the table is part of the name of another one, as `a` in `[a.b]`.
        case name
        /// A header of its own, an element of an array of tables, or the top level.
        case header
        /// A dotted key: as `a` in `a.b = 1`.
        case dottedKey
    }

    enum Member {
        /// A value, which no further statement changes.
        case value(JSONValue)
        case table(TOMLTable)
        case array(TOMLTableArray)
    }

    var origin: Origin
    /// The members by the UTF-8 of their names. Strings would be equal when only their normalization differs.
    var members: [[UInt8]: Member] = [:]

    init(_ origin: Origin) { self.origin = origin }

    /// The members, sorted by the UTF-8 of their names.
    var json: OrderedDictionary<String, JSONValue> {
        var json = OrderedDictionary<String, JSONValue>(minimumCapacity: members.count)
        for (name, member) in members.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            json[String(decoding: name, as: UTF8.self)] =
                switch member {
                case .value(let value): value
                case .table(let table): .object(table.json)
                case .array(let array): .array(array.tables.map { .object($0.json) })
                }
        }
        return json
    }
}

/// An array of tables. It is a class, because appending to an array within a member would copy the array.
final class TOMLTableArray {
    var tables: [TOMLTable] = []
}

// MARK: - Definitions

extension TOMLReader {
    /// Defines the table that a header names, and returns it.
    func define(_ key: Key, in root: TOMLTable, isOfArray: Bool) throws(TOMLError) -> TOMLTable {
        var outer = root
        for part in key.parents {
            switch outer.members[part.name] {
            case .table(let table): outer = table
            case .array(let array): outer = array.tables.last ?? outer
            case .value: throw failure(Self.notTable, at: part.position)
            case nil:
                let table = TOMLTable(.name)
                outer.members[part.name] = .table(table)
                outer = table
            }
        }
        switch outer.members[key.last.name] {
        case .array(let array) where isOfArray:
            let table = TOMLTable(.header)
            array.tables.append(table)
            return table
        case .table(let table) where !isOfArray && table.origin == .name:
            table.origin = .header
            return table
        case .value: throw failure(Self.notTable, at: key.last.position)
        case .array, .table: throw failure("the table is already defined", at: key.last.position)
        case nil:
            let table = TOMLTable(.header)
            if isOfArray {
                let array = TOMLTableArray()
                array.tables.append(table)
                outer.members[key.last.name] = .array(array)
            } else {
                outer.members[key.last.name] = .table(table)
            }
            return table
        }
    }

    /// Returns the table to which the last part of a dotted key belongs, and checks that the part is new there.
    func enter(_ key: Key, of table: TOMLTable) throws(TOMLError) -> TOMLTable {
        var outer = table
        for part in key.parents {
            switch outer.members[part.name] {
            case .table(let table) where table.origin != .header:
                // From here on no header can define the table.
                table.origin = .dottedKey
                outer = table
            case .table, .array: throw failure("a dotted key cannot add to a table with a header", at: part.position)
            case .value: throw failure(Self.notTable, at: part.position)
            case nil:
                let table = TOMLTable(.dottedKey)
                outer.members[part.name] = .table(table)
                outer = table
            }
        }
        guard outer.members[key.last.name] == nil else {
            throw failure("the key is already defined", at: key.last.position)
        }
        return outer
    }

    private static var notTable: String { "the name belongs to a value, to which no table or key can add" }
}
