import JobTemplates
import PrefectJSON
import Testing

@testable import DockerBackend
@testable import KubernetesBackend

@Suite("Slugs")
struct SlugTests {
    @Test("names become the same slugs as in the Python worker")
    func vectors() throws {
        let vectors = try #require(VectorFile.load("slug_vectors").arrayValue)
        #expect(vectors.count == 15)
        for vector in vectors {
            let name = try #require(vector["in"]?.stringValue)
            let slugs: [(String, String?)] = [
                ("worker_slug(slugify default)", Slug.make(name)),
                ("docker_container_name", Slug.dockerContainerName(name)),
                ("k8s_generate_name_base", Slug.kubernetesName(name)),
                ("k8s_label_value", Slug.kubernetesLabelValue(name)),
                ("k8s_label_key", Slug.kubernetesLabelKey(name)),
                ("docker_label_key", Slug.dockerLabelKey(name)),
            ]
            for (kind, slug) in slugs {
                guard let expected = vector[kind] else { continue }
                #expect(JSONValue(slug) == expected, "\(kind) of \(name)")
            }
        }
    }

    @Test(
        "letters of many scripts are romanised",
        arguments: [
            ("Łódź straße Æsir", "lodz-strasse-aesir"), ("Їжак", "izhak"), ("北京 etl", "bei-jing-etl"),
            ("データ", "teta"), ("한국어", "hangugeo"), ("שלום", "shlvm"), ("हिन्दी", "hindii"), ("① ½ Ⅷ", "1-1-2-viii"),
            ("ｆｕｌｌ", "full"), ("𝕏", "x"), ("🚀 launch", "launch"), ("a…b", "a-b"), ("ብ", "u1265"),
            ("cafe\u{301}", "cafe"),
        ])
    func scripts(name: String, slug: String) {
        #expect(Slug.make(name) == slug)
    }

    @Test(
        "HTML entities are decoded, and the text of unknown entities is kept",
        arguments: [
            ("a&amp;b", "a-b"), ("&eacute;cole", "e-cole"), ("it&#39;s", "its"), ("&#65;&#x42;", "ab"),
            ("&bogus;", "bogus"), ("&#65;&#99999999;", "65-99999999"), ("&amp;#65;", "a"), ("&#;&#x;&", "x"),
            ("&#xD800;a", "a"), ("&#00000000000000000000065;", "a"), ("&frac12;", "1-2"),
        ])
    func entities(name: String, slug: String) {
        #expect(Slug.make(name) == slug)
    }

    @Test("slugs are cut at their maximum length, without a separator at the end")
    func lengths() {
        let long = String(repeating: "x", count: 300)
        #expect(Slug.kubernetesName(long)?.count == 45)
        #expect(Slug.kubernetesName(String(repeating: "x", count: 44) + " y") == String(repeating: "x", count: 44))
        #expect(Slug.kubernetesLabelValue(long).count == 63)
        #expect(
            Slug.kubernetesLabelValue(String(repeating: "x", count: 61) + "_.y") == String(repeating: "x", count: 61))
        #expect(Slug.dockerContainerName(long)?.count == 250)
        #expect(Slug.kubernetesLabelKey("\(long)/\(long)").count == 253 + 1 + 63)
    }

    @Test("a Docker label's domain is reversed")
    func dockerLabelKeys() {
        #expect(Slug.dockerLabelKey("prefect.io/flow-run-id") == "io.prefect.flow-run-id")
        #expect(Slug.dockerLabelKey("a.b.c/d/e") == "c.b.a.d/e")
        #expect(Slug.dockerLabelKey("plain") == "plain")
    }
}
