import BackendKit
import BackendKitTesting
import PrefectClient
import PrefectJSON
import Testing

@testable import WorkerKit

@Suite("The line that explains a crash")
struct ErrorLineTests {
    @Test("the error line is the exception of the last traceback, whatever is printed after it")
    func exception() {
        let output = """
            Traceback (most recent call last):
              File "a.py", line 1, in <module>
            KeyError: 'first'

            During handling of the above exception, another exception occurred:

            Traceback (most recent call last):
              File "b.py", line 2, in <module>
                raise ValueError("on purpose")
            ValueError: on purpose
            12:00:00.000 | INFO    | worker - Error reports go to nobody
            bye
            """
        #expect(ErrorLine.line(of: output) == "ValueError: on purpose")
    }

    @Test(
        "without a traceback, the error line is the last line that looks like an error, or else the last line",
        arguments: [
            ("sh: nope: not found\nbye", "sh: nope: not found"),
            (
                "12:00:00.000 | ERROR   | flow - no disk\n12:00:01.000 | INFO    | flow - bye",
                "12:00:00.000 | ERROR   | flow - no disk"
            ),
            ("one\nSegmentation fault\n\n", "Segmentation fault"), ("one\ntwo\n", "two"),
            ("Traceback (most recent call last):\n  File", "  File"),
        ])
    func errors(_ output: String, _ line: String) {
        #expect(ErrorLine.line(of: output) == Substring(line))
    }

    @Test("output without text has no error line")
    func nothing() {
        #expect(ErrorLine.line(of: " \n\n") == nil)
        #expect(CrashReport(ExitStatus(code: 1, lastOutput: "")).message.contains("Last output") == false)
    }

    @Test(
        "the last lines are not printed again when the worker has already printed the run's output",
        arguments: [true, false])
    func once(_ isPrinted: Bool) {
        let reporter = RecordingReporter()
        CrashReport(ExitStatus(code: 1, lastOutput: "one\ntwo"))
            .log(flowRunID: "id", to: reporter, outputIsPrinted: isPrinted)
        let atAPI = reporter.messages.filter(\.isOnlyAtAPI).map(\.message)
        let everywhere = reporter.messages.filter { !$0.isOnlyAtAPI }.map(\.message)
        #expect((isPrinted ? atAPI : everywhere).contains("The last lines of standard error:\none\ntwo"))
        #expect((isPrinted ? everywhere : atAPI).allSatisfy { !$0.contains("one") })
    }
}
