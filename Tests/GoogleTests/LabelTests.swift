import GoogleAccess
import OrderedCollections
import Testing

@Suite("Labels and names on Google Cloud")
struct LabelTests {
    private let many = OrderedDictionary((0..<80).map { ("key\($0)", "v") }, uniquingKeysWith: { $1 })

    @Test("labels are limited in number and length, and those of the template stay")
    func limits() {
        let merged = GoogleLabels.merge(GoogleLabels.plain(many), into: ["team": "t", "key0": "own"])
        #expect(merged.count == 64 && merged["team"] == "t" && merged["key0"] == "own")
        #expect(merged["key1"] == "v" && merged["key79"] == nil)
        #expect(GoogleLabels.transliterated(many).count <= 62)
        let long = String(repeating: "x", count: 100)
        #expect(GoogleLabels.plain([long: long]).allSatisfy { $0.key.count == 63 && $0.value.count == 63 })
        #expect(GoogleLabels.transliterated([long: long]).allSatisfy { $0.key.count == 63 && $0.value.count == 63 })
    }

    @Test("the marks of the worker are always among the labels")
    func marks() {
        let marked = GoogleLabels.marked(GoogleLabels.plain(many), owner: "o", claim: "C")
        #expect(marked.count == 64 && marked[GoogleLabels.owner] == "o" && marked[GoogleLabels.claim] == "c")
        #expect(GoogleLabels.marked([:], owner: nil, claim: "c").count == 1)
    }

    @Test(
        "names of jobs are such as Cloud Run accepts", arguments: ["", "1", "---", "Ünï", "a", "x y", "9 lives", "日本"])
    func names(_ name: String) {
        let long = name + String(repeating: "ab-", count: 40)
        for text in [name, long] {
            #expect(GoogleNames.isAccepted(GoogleNames.job(text, claim: "0", slugLength: 55, digits: 7)))
            #expect(GoogleNames.isAccepted(GoogleNames.job(text, claim: "", slugLength: 30, digits: 32)))
        }
        #expect(!GoogleNames.isAccepted("None-0123456") && !GoogleNames.isAccepted("") && !GoogleNames.isAccepted("a-"))
    }
}
