#!/usr/bin/env python3
"""Makes the records, words and filters of PrefectClient from the server's OpenAPI document.

  generate.py              writes Sources/Prefect/PrefectClient/Generated from api.json, cloud.json and tables.py
  generate.py --check      exits with status 1 when that would change a file
  generate.py --update URL writes api.json, the part of the document at URL that is used, and then the sources
"""
import json
import re
import subprocess
import sys
import tempfile
import textwrap
import urllib.request
from pathlib import Path

from tables import CASES, FILTERS, NAMES, OWN_WORDS, RECORDS, SECONDS, SINGLE, TYPES, UNIONS, WORDS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = ROOT / "Sources/Prefect/PrefectClient/Generated"
KEYWORDS = {"operator", "default", "in", "repeat", "extension", "self", "case", "switch", "where", "is"}
PARTS = {"id": "ID", "ids": "IDs", "url": "URL", "pid": "PID", "openapi": "OpenAPI", "ip": "IP"}
OPERATORS = {
    "any_": "AnyOperator", "not_any_": "NotAnyOperator", "all_": "AllOperator", "like_": "LikeOperator",
    "startswith_": "PrefixOperator", "is_null_": "NullOperator", "exists_": "ExistsOperator", "eq_": "EqualOperator",
    "before_": "BeforeOperator", "after_": "AfterOperator", "ge_": "RangeOperators", "query": "QueryOperator",
    "id_": "CreatorOperators",
}


def pairs(text):
    """Swift name, schema and whether the record is returned."""
    for word in text.split():
        name, _, schema = word.rstrip("*").partition("=")
        yield name, schema or name, word.endswith("*")


def camel(text, capitals=PARTS):
    parts = [part for part in re.split(r"[^A-Za-z0-9]+", text) if part]
    if len(parts) == 1 and not parts[0].isupper():
        first = parts[0][0].lower() + parts[0][1:]
    else:
        first = parts[0].lower()
    rest = [capitals.get(part.lower(), part.capitalize()) for part in parts[1:]]
    return first + "".join(rest)


def escaped(name):
    return f"`{name}`" if name in KEYWORDS else name


def member_name(key):
    return escaped(NAMES.get(key) or camel(key))


def doc(description, fallback, indent="    ", extra=""):
    """A documentation comment: the first sentence of a description, if the rules for the language allow it."""
    text = " ".join((description or "").split()).replace("e.g.", "for example").replace("i.e.", "that is")
    match = re.match(r"(.*?[.!?])(?:\s|$)", text)
    sentence = (match[1] if match else text).strip()
    if sentence and sentence[-1] not in ".!?":
        sentence += "."
    if sentence.count("`") % 2 or len(sentence.split()) > 22 or len(sentence) < 12 or re.match(
            r"\W*(What|Whoever|That|Of|Defines of|DEPRECATED|Deprecated)\b", sentence) or '"""' in sentence:
        sentence = fallback
    sentence = sentence[0].upper() + sentence[1:] + extra
    prefix = indent + "/// "
    return "\n".join(textwrap.wrap(sentence, 120, initial_indent=prefix, subsequent_indent=prefix,
                                   break_long_words=False, break_on_hyphens=False))


class Schema:
    def __init__(self):
        self.document = json.loads((HERE / "api.json").read_text())
        self.cloud = json.loads((HERE / "cloud.json").read_text())
        self.swift = {}
        for text in [*RECORDS.values(), FILTERS, WORDS]:
            for name, schema, _ in pairs(text):
                self.swift[schema] = name
        for schema in list(self.swift):
            base = schema.removesuffix("-Input")
            self.swift.setdefault(base + "-Output", self.swift[schema])
        self.swift.update({"FlowRun": "FlowRun", "TaskRunResponse": "TaskRun", "WorkQueue": "WorkQueue"})
        self.swift.update({name: "JSONObject" for name in ("Resource", "RelatedResource", "ResourceSpecification")})

    def type(self, schema, key, value):
        """The Swift type of a member, and whether it may be null."""
        options = value.get("anyOf", [value])
        nullable = any(option.get("type") == "null" for option in options)
        if (schema, key) in TYPES:
            return TYPES[schema, key], nullable
        options = [option for option in options if option.get("type") != "null"]
        types = {self.plain(key, option) for option in options}
        return (types.pop() if len(types) == 1 else "JSONValue"), nullable

    def plain(self, key, value):
        if "$ref" in value:
            return self.swift[value["$ref"].rsplit("/", 1)[1]]
        kind = value.get("type")
        if key in SECONDS and kind in ("number", "string", "integer") or value.get("format") == "duration":
            return "Duration"
        if kind == "string":
            return {"uuid": "UUID", "date-time": "Timestamp"}.get(value.get("format"), "String")
        if kind == "array":
            item, nullable = self.type("", key, value.get("items", {}))
            return "JSONValue" if item.endswith("?") else f"[{item}]"
        if kind == "object":
            inside = value.get("additionalProperties")
            if isinstance(inside, dict) and "anyOf" not in inside:
                inner, _ = self.type("", key, inside)
                return "JSONObject" if inner == "JSONValue" else f"OrderedDictionary<String, {inner}>"
            return "JSONObject"
        return {"integer": "Int", "number": "Double", "boolean": "Bool"}.get(kind, "JSONValue")

    def record(self, schema, returned):
        """The members of a record: key, Swift type, nullable, required, default, constant, description."""
        own = self.cloud["records"].get(schema)
        found = []
        if own is None:
            value = self.document[schema]
            for key, member in value.get("properties", {}).items():
                swift, nullable = self.type(schema, key, member)
                required = not nullable and (key in value.get("required", []) or returned and key == "id")
                found.append((key, swift, nullable, required, member.get("default"), member.get("const"),
                              member.get("description")))
            own = self.cloud["members"].get(schema, {})
        known = {member[0] for member in found}
        for key, swift in own.items():
            if key in known:
                continue
            constant = swift[1:] if swift.startswith("=") else None
            optional = swift.endswith("?")
            found.append((key, swift.rstrip("?"), optional, not optional and not constant, None, constant, None))
        return found


def property_source(key, swift, kind, default, description, extra=""):
    name = member_name(key)
    comment = doc(description, f"The member `{key}`.", extra=extra)
    if kind == "optional":
        head, getter = f"public var {name}: {swift}?", f'optional("{key}")'
    elif kind == "required":
        head, getter = f"public var {name}: {swift}", f'required("{key}")'
    else:
        head, getter = f"public var {name}: {swift}", f'member("{key}", default: {default})'
    return f'{comment}\n    {head} {{\n        get {{ {getter} }}\n        set {{ assign("{key}", newValue) }}\n    }}'


EMPTY = {"String": '""', "Bool": "false", "Int": "0", "Double": "0", "Duration": ".zero", "JSONValue": ".null"}


def fallback(swift, default):
    if isinstance(default, bool):
        return "true" if default else "false"
    if isinstance(default, str):
        return json.dumps(default)
    if isinstance(default, (int, float)):
        return f".seconds({int(default)})" if swift == "Duration" else repr(default)
    if swift.startswith("["):
        return "[]"
    if swift in ("JSONObject",) or swift.startswith("OrderedDictionary"):
        return "[:]"
    return EMPTY.get(swift)


def record_source(schemas, name, schema, returned):
    properties, required, constants = [], [], []
    for key, swift, nullable, must, default, constant, description in schemas.record(schema, returned):
        if constant is not None:
            constants.append((key, constant))
            continue
        kind = "required" if must else "optional"
        value = None
        if returned and not nullable and not must:
            value = fallback(swift, default)
            kind = "default" if value is not None else "optional"
            if swift == "Timestamp":
                kind, must = "required", True
            elif value is None and swift in schemas.swift.values():
                kind, value = "default", f"{swift}(unchecked: [:])"
        if must:
            required.append((key, swift))
        properties.append(property_source(key, swift, kind, value, description))
    text = schemas.document.get(schema, {}).get("description")
    usable = text and not re.match(r"An ORM|Defines of", text) and "`" not in text
    lines = [doc(text if usable else None, f"The API's `{schema}`.".replace("-Input", ""), ""),
             f"public struct {name}: APIRecord {{",
             "    /// The members as they are sent.", "    public var members: JSONObject", "",
             "    /// Takes members without checking them.",
             "    public init(unchecked members: JSONObject) { self.members = members }", ""]
    if not returned:
        arguments = [f"{member_name(key)}: {swift}" for key, swift in required]
        closing = f"_ configure: (inout {name}) -> Void = {{ _ in }}"
        what = "with its required members" if required else "without members"
        lines += [f"    /// A value {what}, which `configure` completes.",
                  f"    public init({', '.join([*arguments, closing])}) {{", "        members = [:]"]
        lines += [f'        members["{key}"] = {json.dumps(constant)}' for key, constant in constants]
        lines += [f'        assign("{key}", {member_name(key)})' for key, _ in required]
        lines += ["        configure(&self)", "    }", ""]
    lines += ["    /// Checks the required members.",
              "    public static func check(_ members: JSONObject) throws(JSONDecodingError) {"]
    lines += [f'        try require("{key}", {swift}.self, in: members)' for key, swift in required]
    lines += ["    }", ""]
    return "\n".join(lines) + "\n" + "\n\n".join(properties) + ("\n" if properties else "") + "}\n"


def words_source(schemas, name, schema):
    words, text = OWN_WORDS.get(name) or (schemas.document[schema]["enum"], schemas.document[schema].get("description"))
    lines = [doc(text, f"The words of the API's `{schema}`.", ""), f"public struct {name}: APIWord {{",
             "    /// The word.", "    public let rawValue: String", "",
             "    /// Takes a word, known or not.", "    public init(rawValue: String) { self.rawValue = rawValue }", ""]
    cases = []
    for word in words:
        case = CASES.get(word) or camel(re.sub(r"\bDESC$", "Descending", re.sub(r"\bASC$", "Ascending", word.replace(
            "_", " "))), {"id": "ID"})
        cases.append(case)
        lines += [f"    /// The word `{word}`.", f'    public static let {escaped(case)}: {name} = "{word}"']
    lines += ["", "    /// The words that this version knows.",
              f"    public static let known: [{name}] = [" + ", ".join(f".{case}" for case in cases) + "]", "}"]
    return "\n".join(lines) + "\n"


def union_source(name):
    key, text, cases = UNIONS[name]
    enum = [f"/// {text}", f"public enum {name}: JSONConvertible {{"]
    read, write = [], []
    for word, swift in cases.items():
        case = camel(word)
        enum += [f"    /// The case that the API's {'member' if not key else f'`{key}`'} `{word}` marks.",
                 f"    case {case}({swift})"]
        read.append(f'        if jsonValue["{word}"] != nil {{\n            self = .{case}(try {swift}(jsonValue: '
                    f"jsonValue))\n            return\n        }}" if not key else
                    f'        case "{word}": self = .{case}(try {swift}(jsonValue: jsonValue))')
        write.append(f"        case .{case}(let value): value.jsonValue")
    enum += ["    /// A value that this version does not know, as it is.", "    case unknown(JSONValue)", "",
             "    /// Reads a value. An unknown one is kept as it is.",
             "    public init(jsonValue: JSONValue) throws(JSONDecodingError) {"]
    if key:
        enum += [f'        switch jsonValue["{key}"]?.stringValue {{', *read, "        default: self = .unknown(jsonValue)",
                 "        }"]
    else:
        enum += [*read, "        self = .unknown(jsonValue)"]
    enum += ["    }", "", "    /// The value as JSON.", "    public var jsonValue: JSONValue {", "        switch self {",
             *write, "        case .unknown(let value): value", "        }", "    }", "",
             "    /// An unknown value.", f"    public static var jsonPlaceholder: {name} {{ .unknown(.null) }}", "}"]
    return "\n".join(enum) + "\n"


class Conditions:
    """The marker types of the combinations of operators that occur."""
    def __init__(self):
        self.found = {}

    def swift(self, schemas, schema):
        properties = schemas.document[schema]["properties"]
        operators = [key for key in properties if key != "operator"]
        markers = [OPERATORS[key] for key in operators if key not in ("le_", "type_")]
        alternative = "operator" in properties
        name = "".join(re.sub("Operators?$", "", marker) for marker in markers)
        if schema in SINGLE:
            name = "Single" + name
        elif alternative:
            name += "Alternatives"
            markers.append("AlternativeOperators")
        else:
            markers.append("CombinableOperators")
        self.found[name + "OperatorSet"] = (markers, sorted(properties))
        value = "String"
        for key in ("any_", "all_", "not_any_", "eq_", "before_", "after_", "ge_", "id_"):
            if key in properties:
                value, _ = schemas.type("", key, properties[key])
                value = value.strip("[]")
                break
        return f"FilterCondition<{name}OperatorSet, {value}>"

    def source(self):
        parts = []
        for name, (markers, keys) in sorted(self.found.items()):
            words = ", ".join(f"`{key}`" for key in keys)
            names = ", ".join(f'"{key}"' for key in keys)
            parts.append(f"/// The operators {words}.\npublic enum {name}: {', '.join(markers)} {{\n"
                         f"    /// The operators in JSON.\n    public static let names: Set<String> = [{names}]\n}}\n")
        return "\n".join(parts)


def filter_source(schemas, conditions, name):
    value = schemas.document[name]
    members = []
    for key, member in value["properties"].items():
        option = next(option for option in member.get("anyOf", [member]) if option.get("type") != "null")
        reference = option["$ref"].rsplit("/", 1)[1]
        if reference == "Operator":
            members.append((key, "FilterMatch", "Whether all conditions must hold or one of them."))
        elif reference in FILTERS.split():
            members.append((key, reference, member.get("description")))
        else:
            members.append((key, conditions.swift(schemas, reference), member.get("description")))
    arguments = ", ".join(f"{member_name(key)}: {swift}? = nil" for key, swift, _ in members)
    lines = [doc(None, f"A selection of objects, as the API's `{name}`.", ""), f"public struct {name}: APIRecord {{",
             "    /// The members as they are sent.", "    public var members: JSONObject", "",
             "    /// Takes members without checking them.",
             "    public init(unchecked members: JSONObject) { self.members = members }", "",
             "    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.",
             f"    public init({arguments}) {{", "        members = [:]",
             *[f'        assignIfPresent("{key}", {member_name(key)})' for key, _, _ in members], "    }", "",
             "    /// Checks the conditions. An operator that the server does not know is an error.",
             "    public static func check(_ members: JSONObject) throws(JSONDecodingError) {",
             *[f'        try accept("{key}", {swift}.self, in: members)' for key, swift, _ in members], "    }", ""]
    properties = [property_source(key, swift, "optional", None, description) for key, swift, description in members]
    return "\n".join(lines) + "\n" + "\n\n".join(properties) + "\n}\n"


HEADER = "// Tests/Schema/generate.py makes this file.\n"


def imports(body):
    lines = []
    if re.search(r"\bUUID\b", body):
        lines.append("public import FoundationEssentials")
    if re.search(r"\bOrderedDictionary\b|JSONObject|members\[", body):
        lines.append("public import OrderedCollections")
    lines.append("public import PrefectJSON")
    return "\n".join(lines) + "\n\n"


def sources():
    schemas, conditions = Schema(), Conditions()
    files = {}
    for file, text in RECORDS.items():
        parts = [record_source(schemas, *record) for record in pairs(text)]
        names = {name for name, _, _ in pairs(text)}
        parts += [union_source(name) for name, (_, _, cases) in UNIONS.items() if next(iter(cases.values())) in names]
        files[f"{file}Records.swift"] = "\n".join(parts)
    files["Words.swift"] = "\n".join(words_source(schemas, name, schema) for name, schema, _ in pairs(WORDS))
    files["Filters.swift"] = "\n".join(filter_source(schemas, conditions, name) for name in FILTERS.split())
    files["Operators.swift"] = conditions.source()
    return {name: HEADER + (imports(body) if name not in ("Operators.swift", "Words.swift") else "\n") + body for name, body in files.items()}


def write(directory):
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in sources().items():
        (directory / name).write_text(text)
    subprocess.run(["swift", "format", "-i", "--configuration", str(ROOT / ".swift-format"), "-r", str(directory)],
                   check=True)


def used(schemas, names):
    """The schemas of these names and all that they refer to."""
    found, open_names = {}, list(names)
    while open_names:
        name = open_names.pop()
        if name in found or name not in schemas:
            continue
        found[name] = schemas[name]
        open_names += re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(schemas[name]))
    return dict(sorted(found.items()))


def reduced(value, key=None):
    """A schema without titles and examples, and with the first sentences of descriptions."""
    if isinstance(value, list):
        return [reduced(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = key == "properties"
    out = {}
    for name, item in value.items():
        if not named and name in ("title", "examples", "deprecated"):
            continue
        if not named and name == "description":
            out[name] = " ".join(item.split(". ")[0].split())[:200]
        else:
            out[name] = reduced(item, name)
    return out


def update(url):
    with urllib.request.urlopen(url) as answer:
        schemas = json.load(answer)["components"]["schemas"]
    names = [schema for text in [*RECORDS.values(), FILTERS, WORDS] for _, schema, _ in pairs(text)]
    document = reduced(used(schemas, names), "properties")
    lines = [f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}" for name, value in document.items()]
    (HERE / "api.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main(arguments):
    if arguments[:1] == ["--update"]:
        update(arguments[1])
    if arguments != ["--check"]:
        return write(TARGET)
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory))
        fresh = {path.name: path.read_text() for path in Path(directory).iterdir()}
    there = {path.name: path.read_text() for path in TARGET.iterdir()}
    wrong = sorted(name for name in fresh.keys() | there.keys() if fresh.get(name) != there.get(name))
    for name in wrong:
        print(f"{TARGET.relative_to(ROOT)}/{name}: differs from what Tests/Schema/generate.py makes; run that script")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
