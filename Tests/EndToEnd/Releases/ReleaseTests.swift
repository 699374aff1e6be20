import Foundation
import PrefectJSON
import TestSupport
import Testing

@Suite("The files of a release", .releaseFiles, .bounded)
struct ReleaseTests {
    @Test("a release that is made again from the same program has the same bytes, and its signature is valid")
    func again() async throws {
        try await withReleaseFiles { release in
            try await release.run(
                #"""
                made_at="$(sed -n 's/.*"timestamp": "\(.*\)".*/\1/p' "$made"/*.cdx.json)"
                export SOURCE_DATE_EPOCH="$(date -d "$made_at" +%s)"
                umask 077
                "$root/systemd/packaging/dist.sh" "$root/.build/release/prefect-worker" again
                """#)
            try await release.run("cd again && gpg --verify SHA256SUMS.asc SHA256SUMS && sha256sum --check SHA256SUMS")
            // The archive of a container image contains the time at which it was built.
            let different = try await release.outcome(
                #"diff <(grep -v '\.image\.tar\.gz$' "$made/SHA256SUMS") again/SHA256SUMS"#)
            #expect(different.status == .exited(0), "\(different.text)")
        }
    }

    @Test("the archive has a program that starts, units that name the program's place, and the quickstart")
    func archive() async throws {
        try await withReleaseFiles { release in
            try await release.run(
                #"tar -xzf "$made"/prefect-worker-*-linux-*[0-9].tar.gz && mv prefect-worker-* unpacked"#)
            let version = try await release.run("unpacked/bin/prefect-worker --version")
            #expect(version.first?.hasPrefix("prefect-worker ") == true)
            let starts = try await release.run("grep -h ^ExecStart= unpacked/lib/systemd/system/*.service")
            #expect(starts.count == 2)
            #expect(starts.allSatisfy { $0.hasPrefix("ExecStart=/usr/local/bin/prefect-worker ") })
            for file in [
                "examples/quickstart/run.sh", "share/man/man1/prefect-worker.1.gz",
                "share/doc/prefect-worker/copyright", "share/doc/prefect-worker/NOTICE.libraries",
            ] {
                #expect(FileManager.default.fileExists(atPath: "\(release.directory)/unpacked/\(file)"), "\(file)")
            }
        }
    }

    @Test("the archive of the Helm chart has the chart's files, and the chart has the version of the program")
    func chart() async throws {
        try await withReleaseFiles { release in
            let version = try await release.run(
                #"cd "$made" && ls prefect-worker-*.tgz | sed 's/^prefect-worker-\(.*\)\.tgz$/\1/'"#)
            #expect(version.count == 1, "\(version)")
            try await release.run(#"tar -xzf "$made"/prefect-worker-*.tgz"#)
            try await release.run("diff -r prefect-worker \"$root/examples/helm/prefect-worker\"")
            let chart = try await release.run("cat prefect-worker/Chart.yaml")
            for key in ["version", "appVersion"] {
                #expect(chart.contains("\(key): \(version.first ?? "")"), "\(chart)")
            }
        }
    }

    @Test(
        "the bill of materials names the program, the linked packages with their versions, and the system's libraries")
    func materials() async throws {
        try await withReleaseFiles { release in
            let text = try await release.run(#"cat "$made"/*.cdx.json"#).joined(separator: "\n")
            let bill = try JSONValue(parsing: text)
            #expect(bill["bomFormat"] == "CycloneDX")
            #expect(bill["metadata"]?["component"]?["name"] == "prefect-worker")
            let components = bill["components"]?.arrayValue ?? []
            let names = Set(components.compactMap { $0["name"]?.stringValue })
            #expect(names.isSuperset(of: ["swift-nio", "swift-crypto", "swift-runtime", "libcurl4", "libc6"]))
            #expect(!names.contains("async-http-client"), "only tests use it")
            let pins = try JSONValue(parsing: Documentation.text("Package.resolved"))["pins"]?.arrayValue ?? []
            for pin in pins {
                let component = components.first { $0["name"] == pin["identity"] }
                #expect(component == nil || component?["version"] == pin["state"]?["version"])
            }
        }
    }

    @Test("apt on a clean system installs the package from the repository, and refuses a repository that was changed")
    func repository() async throws {
        try await withReleaseFiles { release in
            // Directories of apt's own. The status of the packages is that of this machine.
            try await release.run(
                """
                "$root/systemd/packaging/repository.sh" repository "$package"
                mkdir -p state/lists/partial cache/archives/partial etc/{apt.conf,preferences}.d
                echo "deb [signed-by=$PWD/repository/prefect-worker.gpg] file:$PWD/repository stable main" >etc/sources.list
                printf '%s "%s";\\n' Dir "$PWD" Dir::State "$PWD/state" Dir::Cache "$PWD/cache" Dir::Etc "$PWD/etc" \
                  Dir::State::status /var/lib/dpkg/status APT::Sandbox::User root >apt.conf
                """)
            try await release.run(
                "APT_CONFIG=apt.conf apt-get update && APT_CONFIG=apt.conf apt-get download prefect-worker")
            try await release.run(#"cmp "$package" prefect-worker_*.deb"#)
            let simulated = try await release.run("APT_CONFIG=apt.conf apt-get install --simulate prefect-worker")
            #expect(simulated.contains { $0.hasPrefix("Inst prefect-worker ") }, "\(simulated)")

            try await release.run("sed -i 's/^Origin: .*/Origin: somebody/' repository/dists/stable/{In,}Release")
            for change in ["true", "rm repository/dists/stable/{InRelease,Release.gpg}"] {
                let refused = try await release.outcome(
                    "\(change); rm -rf state/lists/*; APT_CONFIG=apt.conf apt-get update -o APT::Update::Error-Mode=any"
                )
                #expect(refused.status != .exited(0), "\(change): \(refused.text)")
            }
        }
    }
}
