import BackendKit
import BackendKitTesting
import CloudRunBackend
import PrefectJSON
import VertexAIBackend

/// The backends for Google Cloud, in the project that the environment's credentials name.
struct GoogleSubject {
    let backend: any Backend.Type
    let jobVariables: JSONValue
    let expectations: ConformanceExpectations

    init?(type: String, image: String?) {
        let image = JSONValue(image ?? "busybox:lab")
        switch type {
        case "cloud-run": backend = CloudRunBackend.self
        case "cloud-run-v2": backend = CloudRunV2Backend.self
        case "vertex-ai": backend = VertexAIBackend.self
        default: return nil
        }
        // Each type has a region of its own, because the stand-ins of some labs mix the jobs of both versions. A check
        // looks at the region of the default template, us-central1, which has no jobs.
        let regions: [String: JSONValue] = ["cloud-run": "us-east1", "cloud-run-v2": "us-east4"]
        let region = regions[type] ?? "us-west1"
        jobVariables = ["region": region, "image": image]
        let refused: [JSONValue] =
            type == "vertex-ai"
            ? [["region": "no region"], ["maximum_run_time_hours": 0]]
            : [["image": "nowhere/none:1"], ["region": "no region"], ["timeout": 0]]
        // A job that is stopped is deleted or cancelled, so its exit code is unknown.
        var expectations = ConformanceExpectations(
            reportsCodeOfStopped: false, refusedJobVariables: refused, beginning: .seconds(8),
            timeLimit: .seconds(240))
        // Cloud Run states a code only where its tasks can be read.
        expectations.reportsCodes = type == "vertex-ai"
        expectations.printsOutput = false
        self.expectations = expectations
    }
}
