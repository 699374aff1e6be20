import Foundation
import PrefectJSON
import TestSupport
import Testing

@Suite("The status page, in a browser", .requires(programs: ["chromium"], of: "chromium"), .bounded)
struct StatusPageTests {
    /// Opens a page in Chromium, and returns its elements after the scripts have run, and the messages of the console.
    private func open(
        _ url: String, in directory: String, _ others: [String] = []
    ) async throws -> (page: String, messages: [String]) {
        let arguments = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--user-data-dir=\(directory)/chromium", "--enable-logging=stderr", "--virtual-time-budget=2000",
            "--dump-dom",
        ]
        let environment = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "", "HOME": directory]
        return try await withChildProcess(
            "chromium", arguments + others + [url], environment: environment, workingDirectory: directory
        ) { browser in
            let status = try await browser.waitForExit(timeout: .seconds(60))
            #expect(status == .exited(0), "\(browser.summary)")
            return (browser.output.joined(separator: "\n"), browser.errors.filter { $0.contains("CONSOLE") })
        }
    }

    @Test("it shows pools, promptness and runs by the numbers of /status, and every name only as text")
    func numbers() async throws {
        try await StatusBench.with { bench in
            let url = "http://127.0.0.1:\(bench.probe.port)/"
            let (page, messages) = try await open(url, in: bench.directory)
            // The security policy would report what it refuses.
            #expect(messages == [])
            #expect(page.contains("<title>prefect-worker</title>"))
            let name = #"&lt;script&gt;document.title="owned"&lt;/script&gt;\u202e\u009b31m"#
            #expect(page.contains("<bdi>\(name)&lt;img src=x onerror=alert(1)&gt;</bdi>"), "\(page)")
            #expect(page.contains(bench.run) && !page.contains("<img") && !page.contains("<b>"))
            #expect(page.contains(#"data-label="Slots" class="short">1 of 5<"#))
            #expect(page.contains(#"data-label="Runs by stage">1 running<"#))
            #expect(page.contains(#"data-label="Stage" class="short">running<"#))
            #expect(page.contains(#"<p id="listed">1 run</p>"#))
            #expect(page.matches(of: /aria-label="1 run, maximum [0-9.]+ m?s\."/).count == 2)
            #expect(page.contains(#"<p id="state">serving · "#))
            #expect(page.contains(#"<p id="notice" role="status"></p>"#) && !page.contains(#"class="bad""#))
            try await takePictures(of: url, in: bench.directory)
        }
    }

    @Test("it shows which pool is unavailable and since when, and that the worker does not answer")
    func outages() async throws {
        try await StatusBench.with { bench in
            bench.api.script(path: "*/get_scheduled_flow_runs", answer: .status(403))
            try await eventually(within: .seconds(60), "a poll was refused") {
                try await bench.probe.status()["pools"]?.arrayValue?.first?["trouble"]?.stringValue != nil
            }
            let url = "http://127.0.0.1:\(bench.probe.port)/"
            let (page, _) = try await open(url, in: bench.directory)
            #expect(page.contains(#"<li class="bad"><strong>Work pool p</strong>: Work pool 'p' cannot be polled"#))
            #expect(page.contains(#/<span class="detail">for [0-9.]+ (ms|s|min), since /#), "\(page)")
            #expect(page.contains(">unavailable<") && page.contains("serving, not ready"))
            // A copy of the page has no worker that answers.
            let copy = try await PrefectServerClient(url: String(url.dropLast())).send("GET", "/").rawBody
            try Data(copy).write(to: URL(filePath: "\(bench.directory)/copy.html"))
            let (silent, _) = try await open("file://\(bench.directory)/copy.html", in: bench.directory)
            #expect(silent.contains(#"role="status">The worker has not answered since"#), "\(silent)")
        }
    }

    /// Takes pictures at two widths, light and dark, for people: into the directory that `TEST_SCREENSHOTS` names.
    private func takePictures(of url: String, in directory: String) async throws {
        guard let pictures = ProcessInfo.processInfo.environment["TEST_SCREENSHOTS"], !pictures.isEmpty else {
            return
        }
        for width in [400, 1280] {
            for (scheme, number) in [("dark", 0), ("light", 1)] {
                _ = try await open(
                    url, in: directory,
                    [
                        "--hide-scrollbars", "--window-size=\(width),1500",
                        "--blink-settings=preferredColorScheme=\(number)",
                        "--screenshot=\(pictures)/status-\(scheme)-\(width).png",
                    ])
            }
        }
    }
}
