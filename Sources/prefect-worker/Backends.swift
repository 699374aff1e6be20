import BackendKit
import CloudRunBackend
import ContainerInstancesBackend
import DockerBackend
import ECSBackend
import KubernetesBackend
import ProcessBackend
import SystemdBackend
import VertexAIBackend
import WorkerKit

/// The backends that this program contains.
enum Backends {
    /// The only list of them.
    static let all: [any Backend.Type] = [
        ProcessBackend.self, DockerBackend.self, KubernetesBackend.self, SystemdBackend.self,
        ECSBackend.self, CloudRunBackend.self, CloudRunV2Backend.self, VertexAIBackend.self,
        ContainerInstancesBackend.self,
    ]

    /// The backend of a pool whose type is not known yet.
    static var usual: any Backend.Type { ProcessBackend.self }

    /// The types of pools that can be served.
    static let types = all.types

    /// The worker's environment without the variables that no other process may have.
    static var environment: [String: String] { WorkerConfiguration.inheritedEnvironment }

    /// Returns the backend that serves a type of pool.
    static func backend(ofType type: String) -> (any Backend.Type)? { all.backend(ofType: type) }
}
