import BackendKit
import BackendKitTesting
import ContainerInstancesBackend
import DockerBackend
import FoundationEssentials
import KubernetesBackend
import PrefectClient
import PrefectJSON
import ProcessBackend
import SystemdBackend

#if canImport(Glibc)
import Glibc
#endif

/// Checks a backend of this package against its real infrastructure, which the environment names:
/// `backend-conformance TYPE STATE-DIRECTORY [IMAGE]`. Prints a line for each case.
@main
struct ConformanceProgram {
    static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        guard let type = arguments.first, let directory = arguments.dropFirst().first,
            let subject = PackageSubject(type: type, directory: directory, image: arguments.dropFirst(2).first)
        else {
            print("usage: backend-conformance TYPE STATE-DIRECTORY [IMAGE]")
            exit(2)
        }
        let failures = await withTaskGroup(of: Bool.self) { group in
            for conformance in ConformanceCase.allCases { group.addTask { await holds(conformance, subject) } }
            var failures = 0
            for await holds in group where !holds { failures += 1 }
            return failures
        }
        // OpenSSL's exit handler frees what the threads of ending transports still use.
        fflush(nil)
        _exit(failures == 0 ? 0 : 1)
    }

    private static func holds(_ conformance: ConformanceCase, _ subject: PackageSubject) async -> Bool {
        do {
            try await conformance.check(subject)
            print("ok: \(conformance.rawValue)")
            return true
        } catch {
            print("not ok: \(conformance.rawValue): \(error)")
            return false
        }
    }
}

/// One of the package's backends.
private struct PackageSubject: ConformanceSubject {
    let backend: any Backend.Type
    let host: BackendHost
    let jobVariables: JSONValue
    let expectations: ConformanceExpectations

    init?(type: String, directory: String, image: String?) {
        let environment = ProcessInfo.processInfo.environment
        host = BackendHost(
            environment: environment, python: "none", settings: IntegrationSettings(environment: environment),
            stateDirectory: directory)
        switch type {
        case "process":
            backend = ProcessBackend.self
            jobVariables = [:]
            // Another process than the parent learns an exit code only from newer kernels.
            expectations = ConformanceExpectations(
                reportsCodeToLaterProcess: false,
                refusedJobVariables: [["command": "/nowhere/program"], ["working_dir": "/nowhere"]],
                beginning: .seconds(4))
        case "docker":
            backend = DockerBackend.self
            jobVariables = ["image": JSONValue(image ?? "busybox:lab"), "image_pull_policy": "Never"]
            expectations = ConformanceExpectations(
                refusedJobVariables: [["image": "nowhere/none:1"], ["networks": ["nowhere"]]], beginning: .seconds(8))
        case "kubernetes":
            backend = KubernetesBackend.self
            jobVariables = ["image": JSONValue(image ?? "busybox:lab"), "image_pull_policy": "IfNotPresent"]
            // A job that is stopped is deleted, and its exit code with it.
            expectations = ConformanceExpectations(
                reportsCodeOfStopped: false, refusedJobVariables: [["namespace": "nowhere"]], beginning: .seconds(8),
                timeLimit: .seconds(240))
        case "systemd":
            backend = SystemdBackend.self
            jobVariables = [:]
            expectations = ConformanceExpectations(
                refusedJobVariables: [["user": "nobody-of-this-name"], ["working_dir": "/nowhere"]])
        case "ecs":
            backend = ECSConformance.backend
            jobVariables = ECSConformance.jobVariables(image)
            expectations = ECSConformance.expectations
        case "azure-container-instance":
            backend = ContainerInstancesBackend.self
            guard let subject = ContainerInstancesSubject(environment: environment, image: image) else { return nil }
            jobVariables = subject.jobVariables
            expectations = subject.expectations
        default:
            guard let google = GoogleSubject(type: type, image: image) else { return nil }
            backend = google.backend
            jobVariables = google.jobVariables
            expectations = google.expectations
        }
    }
}
