#!/usr/bin/env python3
"""Checks the sentences of the documentation, and of the comments in Sources/**/*.swift. Every public declaration there
needs a documentation comment.

Prints `file:line: problem` and exits with status 1 when there is a problem. --self-test checks the checks.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ["*.md", "examples/**/README.md", "Sources/**/*.docc/*.md"]
SOURCES = ["Sources/**/*.swift"]
GENERATED = "Settings.md"
LINE, SENTENCE, MEAN, CELL = 120, 25, 15, 25
OPENINGS = ("What", "Whoever", "That", "Of")
WORDS = re.compile(r"\b(whoever|farewell|vouch|courtesy)\b", re.IGNORECASE)

CODE = re.compile(r"(`+)[^`].*?\1", re.DOTALL)
QUOTE = re.compile(r'"[^"]*?([.!?]?)"')
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
EMPHASIS = re.compile(r"\*+|(?<!\w)_|_(?!\w)")
MARKER = re.compile(r"^\s*([-*+]|\d+\.)\s+")
FENCE = re.compile(r"\s*```")
DIRECTIVE = re.compile(r"\s*(@\w+|})")
PUBLIC = re.compile(r"( *)(?:@[\w.]+(?:\([^)]*\))? )*(?:public|open) (?!import )(?:.*?\b(enum|protocol) )?")
# The declarations in a public enumeration or protocol are public without a word of their own.
MEMBER = {"enum": r"(?:indirect )?case ", "protocol": r"(?:static |mutating )*(?:var|func|init|subscript|associatedtype)\b"}
END = re.compile(r"(?<=[.!?])[)\]]?\s+(?=\(?[A-Z])")


def plain(text):
    """Text as a reader counts it: inline code and quoted messages are one word each, a link is its text."""
    def lines(match):
        return "\n" * match[0].count("\n")

    text = CODE.sub(lambda code: "Code" + lines(code), text)
    text = QUOTE.sub(lambda quote: f"Quote{quote[1]}" + lines(quote), text)
    return EMPHASIS.sub("", LINK.sub(r"\1", text))


def count(text):
    return len(re.findall(r"\S*\w\S*", text))


def sentences(text):
    """The sentences of a plain text, each with the number of lines before it."""
    begin = 0
    for end, following in [*(match.span() for match in END.finditer(text)), (len(text), 0)]:
        yield text.count("\n", 0, begin), " ".join(text[begin:end].split())
        begin = following


def wording(text, longest=SENTENCE):
    """The problems of the sentences of a plain text, each with the number of lines before it."""
    for offset, sentence in sentences(text):
        if longest and count(sentence) > longest:
            yield offset, f"a sentence of {count(sentence)} words: {sentence[:60]}"
        first = re.match(r"\W*(\w+)", sentence)
        if first and first[1].capitalize() in OPENINGS:
            yield offset, f"a sentence begins with {first[1]!r}: {sentence[:60]}"
        yield from ((offset, f"the word {word!r}") for word in WORDS.findall(sentence))


def blocks(lines):
    """The parts of a Markdown text except its code: (kind, number of the first line, text)."""
    current, begin, fenced, code, blank = [], 0, False, False, True
    for number, line in [*enumerate(lines, 1), (len(lines) + 1, "")]:
        was_blank, blank, fence = blank, not line.strip(), bool(FENCE.match(line))
        code = line.startswith("    ") and (code or was_blank) or blank and code
        if fence or fenced or code or blank or DIRECTIVE.match(line):
            kind = "code"
        else:
            kind = {"#": "heading", "|": "row"}.get(line[0], "text")
        fenced ^= fence
        if current and (kind != "text" or MARKER.match(line)):
            yield "text", begin, "\n".join(current)
            current = []
        if kind == "text":
            begin = begin if current else number
            current.append(MARKER.sub("", line, count=1))
        elif kind != "code":
            yield kind, number, line.strip("#| ")
        if kind in ("text", "heading"):
            yield "line", number, line


def document(text):
    """The problems of a Markdown document, each with its line."""
    lengths = []
    for kind, number, part in blocks(text.splitlines()):
        if kind == "line":
            if len(part) > LINE:
                yield number, f"a line of {len(part)} characters"
            continue
        part = plain(part)
        for cell in re.split(r"(?<!\\)\|", part) if kind == "row" else [part]:
            if kind == "row" and count(cell) > CELL:
                yield number, f"a table cell of {count(cell)} words: {cell.strip()[:60]}"
            found = wording(cell.strip(), None if kind == "row" else SENTENCE)
            yield from ((number + offset, problem) for offset, problem in found)
        if kind == "text":
            # An item of a list that is only a name or a link is no sentence.
            lengths += [length for _, sentence in sentences(part) if (length := count(sentence)) > 2]
    if lengths and sum(lengths) / len(lengths) > MEAN:
        yield 1, f"the mean sentence has {sum(lengths) / len(lengths):.1f} words"


def comments(text):
    """The problems of the comments of a Swift file that stand on lines of their own."""
    found = [re.match(r"\s*(///?) ?(.*)", line) for line in text.splitlines()]
    for mark in ("//", "///"):
        for kind, number, part in blocks([match[2] if match and match[1] == mark else "" for match in found]):
            if kind == "text":
                yield from ((number + offset, problem) for offset, problem in wording(plain(part)))


def undocumented(text):
    """The public declarations of a Swift file without a documentation comment."""
    member, documented = None, False
    for number, line in enumerate(text.splitlines(), 1):
        is_comment, is_attribute = (line.lstrip().startswith(mark) for mark in ("///", "@"))
        public = PUBLIC.match(line)
        if member and line.startswith(member[0] + "}"):
            member = None
        is_member = member and re.match(f"{member[0]}    (?:@\\w+ )*{MEMBER[member[1]]}", line)
        if (public or is_member) and not documented:
            yield number, f"a public declaration without documentation: {line.strip()[:60]}"
        if public and public[2] and line.endswith("{"):
            member = public[1], public[2]
        documented = is_comment or documented and is_attribute and not (public or is_member)


def self_test():
    """Asserts that each kind of problem is found, and none in code, quotes and link targets."""
    def found(text, check=document):
        return [problem.split(":")[0] for _, problem in check(text)]

    many = "word\n" * 23
    assert found(f"One {many}and end.\n\nShort one here.\n\nShort one here.") == ["a sentence of 26 words"]
    assert found("One " + "two " * 14 + "three.") == ["the mean sentence has 16.0 words"]
    assert found("a" * 121) == ["a line of 121 characters"] and not found("a" * 120)
    assert found(f"| a | {'word ' * 26} |") == ["a table cell of 26 words"] and not found(f"| {'word ' * 25} |")
    assert list(document("Good.\nIt is so. That of\na file."))[0][0] == 2
    for word in OPENINGS:
        for text in (f"| cell | It works. {word} it does. |", f"- {word} it does"):
            assert found(text)[0] == (f"a sentence begins with {word!r}")
    for word in ("whoever", "farewell", "vouch", "courtesy"):
        assert found(f"It is {word}.") == found(f"# It is {word}") == [f"the word {word!r}"]
    assert not found(f"See `{many}` and \"That {many}.\" in [it]({many}).\n\n    That {many}\n\n```\nThat {many}\n```")
    assert found(f"/// One {'word ' * 23}\n/// and end.\nlet x = 1", comments) == ["a sentence of 26 words"]
    public = "public struct A {\n    /// Good.\n    @B\n    public var c: C\n    @B public let d: D\n    var e: E\n}"
    assert [number for number, _ in undocumented(public)] == [1, 5]
    members = "/// Good.\npublic {} {{\n    {}\n}}\nprivate {} {{\n    {}\n}}"
    for kind, member in (("enum A: B", "case a"), ("protocol A", "static func a()"), ("protocol A", "var a: A { get }")):
        assert [number for number, _ in undocumented(members.format(kind, member, kind, member))] == [3]
        assert not list(undocumented(members.format(kind, f"/// Good.\n    {member}", kind, member)))
    assert not list(undocumented("public import A\npackage var a = A()\n@_exported public import B"))
    assert found("// Of it.\nlet a = 1  // Of\n/// Good.", comments) == ["a sentence begins with 'Of'"]


def main():
    if "--self-test" in sys.argv:
        return self_test()
    status = 0
    for patterns, check in ((PAGES, document), (SOURCES, comments), (SOURCES, undocumented)):
        for path in sorted(path for pattern in patterns for path in ROOT.glob(pattern) if path.name != GENERATED):
            for number, problem in sorted(check(path.read_text(encoding="utf-8"))):
                print(f"{path.relative_to(ROOT)}:{number}: {problem}")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
