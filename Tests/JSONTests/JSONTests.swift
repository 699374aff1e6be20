import OrderedCollections
import PrefectJSON
import Testing

@Suite("Parsing JSON")
struct JSONParsingTests {
    @Test(
        "values of every kind are parsed",
        arguments: [
            ("null", nil), ("true", true), (" [1, 1.0, -0, -1e2] ", [1, 1.0, 0, -100.0]),
            ("123456789012345678901", .bigInteger("123456789012345678901")),
            ("-9223372036854775808", .int(.min)), ("\"\"", ""), ("{}", [:]), ("[]", []),
            ("{\"b\": 1, \"a\": {\"c\": []}}", ["b": 1, "a": ["c": []]]), ("1E308", 1e308),
        ] as [(String, JSONValue)])
    func values(text: String, expected: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == expected)
    }

    @Test("objects keep the order of their keys, and the last value of a repeated key")
    func order() throws {
        let value = try JSONValue(parsing: #"{"z": 1, "a": 2, "z": 3}"#)
        #expect(value.objectValue.map { Array($0.keys) } == ["z", "a"])
        #expect(value["z"] == 3)
        #expect(try JSONValue(parsing: #"{"a": 1, "b": 2}"#) != JSONValue(parsing: #"{"b": 2, "a": 1}"#))
        #expect(["a": 1, "b": [2]] as JSONValue != ["b": [2], "a": 1])
        #expect(
            (["a": 1, "b": [["c": 1, "d": 2]]] as JSONValue).isEquivalent(to: ["b": [["d": 2, "c": 1]], "a": 1]))
        #expect(!(["a": 1] as JSONValue).isEquivalent(to: ["a": 1.0]))
    }

    @Test(
        "escapes, surrogate pairs and lone surrogates are decoded",
        arguments: [
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"), (#""\u00e9\u4E2D""#, "é中"), (#""\ud83d\ude00""#, "😀"),
            (#""\ud83d""#, "\u{FFFD}"), (#""\ude00x""#, "\u{FFFD}x"), (#""\ud83d\u0041""#, "\u{FFFD}A"),
            (#""\ud83dx""#, "\u{FFFD}x"), (#""\u0000""#, "\u{0}"),
        ])
    func escapes(text: String, expected: String) throws {
        #expect(try JSONValue(parsing: text) == .string(expected))
    }

    @Test("bytes that are not UTF-8 are replaced, and a byte order mark is skipped")
    func bytes() throws {
        #expect(try JSONValue(parsing: [0x22, 0xFF, 0x61, 0x22]) == "\u{FFFD}a")
        #expect(try JSONValue(parsing: [0xEF, 0xBB, 0xBF, 0x31]) == 1)
    }

    @Test(
        "text that is not JSON is refused",
        arguments: [
            "", " ", "{", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "01", "-", "1.", ".5", "1e", "+1",
            "--1",
            "tru", "nulL", "\"", "\"\\x\"", "\"\\u12\"", "\"\\u+123\"", "\"\\u-123\"", "\"\n\"", "[1 2]", "1 2", "]",
            "{]",
            "[}", "\"\\", "'a'", "-Inf", "NaNx", "0x10", "NaN", "[Infinity]", "-Infinity", "1e999", "{\"a\": -1E400}",
            "\u{0}",
        ])
    func refused(text: String) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    }

    @Test("an error has a position, and does not quote the text")
    func position() throws {
        let error = try #require(throws: JSONError.self) { try JSONValue(parsing: "{\n  \"secret\": hush\n}") }
        #expect(error.line == 2 && error.column == 13)
        #expect(!error.description.contains("hush"))
    }

    @Test("nesting is limited")
    func depth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(throws: Never.self) { try JSONValue(parsing: nested(JSONValue.maximumDepth)) }
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: nested(JSONValue.maximumDepth + 1)) }
        #expect(error?.isTooLarge == true)
        #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: "{\"a\":", count: 100_000)) }
        let flat = "[" + Array(repeating: "[]", count: 1000).joined(separator: ",") + "]"
        #expect(try JSONValue(parsing: flat).arrayValue?.count == 1000)
    }

    @Test("the memory for values is limited at every level of nesting")
    func count() throws {
        let bytes = Array(#"[1, {"a": [2, 3], "b": {}}, "x"]"#.utf8)
        #expect(try JSONValue(parsing: bytes, maximumCost: 14).arrayValue?.count == 3)
        let error = try #require(throws: JSONError.self) { try JSONValue(parsing: bytes, maximumCost: 13) }
        #expect(error.isTooLarge)
        #expect(error.description == "too large: its values take too much memory (line 1, column 28)")
        let malformed = try #require(throws: JSONError.self) { try JSONValue(parsing: "[") }
        #expect(!malformed.isTooLarge)
    }

    @Test(
        "run parameters of 512 KiB, which the server accepts, are parsed with any content",
        arguments: ["0,", "[],", "[0],", "[[[0]]],", #"{"":0},"#, #"{"":{"":{"":0}}},"#, #""sixteen letters.","#])
    func parameters(element: String) throws {
        let count = (512 << 10) / element.utf8.count - 1
        let text = "[\(String(repeating: element, count: count))0]"
        #expect(try JSONValue(parsing: text).arrayValue?.count == count + 1)
    }

    @Test("truncated or damaged text gives a value or an error", .timeLimit(.minutes(1)))
    func damaged() throws {
        let text = Array(#"{"a": [1.5e3, "é\ud83d\ude00\n", {"b": null}], "c": [true, -0.0, 1]}"#.utf8)
        var parsed = 0
        for cut in text.indices {
            _ = try? JSONValue(parsing: Array(text[..<cut]))
            for byte: UInt8 in [0x00, 0x22, 0x5C, 0x7B, 0x5D, 0x30, 0xFF] {
                var damaged = text
                damaged[cut] = byte
                if (try? JSONValue(parsing: damaged)) != nil { parsed += 1 }
            }
        }
        #expect(parsed > 0)
    }
}

@Suite("Writing JSON")
struct JSONWritingTests {
    private static let value: JSONValue = [
        "a": [1, 1.0, nil, true], "é": "\"\\/\n\u{1}\u{7f}😀", "empty": [[:], []],
        "big": .bigInteger("12345678901234567890"),
    ]

    @Test("the compact style has no spaces")
    func compact() {
        #expect(
            Self.value.serialized()
                == #"{"a":[1,1.0,null,true],"é":"\"\\/\n\u0001\u007f😀","empty":[{},[]],"big":12345678901234567890}"#)
        #expect(Self.value.serializedBytes() == Array(Self.value.serialized().utf8))
    }

    @Test("the Python style is the same as json.dumps")
    func python() {
        #expect(
            Self.value.serialized(.python)
                == #"{"a": [1, 1.0, null, true], "\u00e9": "\"\\/\n\u0001\u007f\ud83d\ude00", "empty": [{}, []], "big": 12345678901234567890}"#
        )
    }

    @Test("the pretty style indents nested values")
    func pretty() {
        #expect(
            (["a": [1, ["b": nil]], "c": [:], "d": []] as JSONValue).serialized(.pretty)
                == """
                {
                  "a": [
                    1,
                    {
                      "b": null
                    }
                  ],
                  "c": {},
                  "d": []
                }
                """)
    }

    @Test("serialized JSON reads back the same in each style")
    func roundTrip() throws {
        for style in [JSONStyle.compact, .pretty, .python] {
            #expect(try JSONValue(parsing: Self.value.serialized(style)) == Self.value)
        }
    }

    @Test("numbers that are not finite are written as null")
    func notFinite() {
        #expect(JSONValue.array([.double(.nan), .double(-.infinity)]).serialized() == "[null,null]")
    }

    @Test(
        "numbers are written as Python writes them",
        arguments: [
            (0.0, "0.0"), (-0.0, "-0.0"), (1.0, "1.0"), (-1.5, "-1.5"), (0.1, "0.1"), (1e-4, "0.0001"), (1e-5, "1e-05"),
            (1.25e-7, "1.25e-07"), (1e15, "1000000000000000.0"), (1e16, "1e+16"), (1.5e16, "1.5e+16"),
            (123456789012345680.0, "1.2345678901234568e+17"), (1234567890123456.0, "1234567890123456.0"),
            (1e100, "1e+100"), (.leastNonzeroMagnitude, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e+308"),
            (100.0, "100.0"), (12.5, "12.5"), (.infinity, "inf"), (-.infinity, "-inf"), (.nan, "nan"),
        ] as [(Double, String)])
    func doubles(number: Double, expected: String) {
        #expect(number.pythonDescription == expected)
    }
}

@Suite("Reading JSON values")
struct JSONValueTests {
    @Test("subscripts return members and elements, or nil")
    func subscripts() {
        var value: JSONValue = ["a": [1, 2]]
        #expect(value["a"]?[1] == 2)
        #expect(value["a"]?[2] == nil && value["a"]?[-1] == nil && value["b"] == nil && value[0] == nil)
        value["b"] = "new"
        value["a"] = nil
        #expect(value == ["b": "new"])
        var text: JSONValue = "text"
        text["a"] = 1
        #expect(text == "text")
    }

    @Test("numbers are converted if nothing is lost")
    func numbers() {
        #expect(JSONValue.double(2).intValue == 2 && JSONValue.double(2.5).intValue == nil)
        #expect(JSONValue.double(.nan).intValue == nil && JSONValue.double(1e300).intValue == nil)
        #expect(JSONValue.int(2).doubleValue == 2 && JSONValue.bigInteger("10").doubleValue == 10)
        #expect(JSONValue.string("2").intValue == nil && JSONValue.bool(true).intValue == nil)
    }

    private struct Point: JSONDecodable {
        let x: String
        init(json fields: JSONFields) throws(JSONDecodingError) { x = try fields.string("x") }
    }

    @Test("an error in a nested member names its path and not its value")
    func decodingErrors() throws {
        let fields = try JSONFields(["point": ["x": 5], "none": nil, "list": ["a", 1, "b"], "n": 3, "t": true])
        let error = try #require(throws: JSONDecodingError.self) { try fields.decode("point", as: Point.self) }
        #expect(error.path == "point.x")
        #expect(error.description == "'point.x' should be a string but is integer")
        #expect(throws: JSONDecodingError(path: "no", problem: "should be a string but is missing")) {
            try fields.string("no")
        }
        #expect(throws: JSONDecodingError.self) { try fields.decode("list", as: Point.self) }
        #expect(throws: JSONDecodingError.self) { try JSONFields([1]) }
        #expect(try fields.decodeIfPresent("none", as: Point.self) == nil)
        #expect(fields.strings("list") == ["a", "b"] && fields.strings("no").isEmpty)
        #expect(fields.optionalInt("n") == 3 && fields.optionalBool("t") == true && fields.optionalString("n") == nil)
        #expect(fields.object("point") == ["x": 5] && fields.object("list").isEmpty)
    }
}
