import BackendKitTesting
import PrefectJSON

/// The jobs of the suite for Azure Container Instances, in the resource group of a stand-in.
struct ContainerInstancesSubject {
    let jobVariables: JSONValue
    let expectations: ConformanceExpectations

    /// `nil` when the environment names no resource group.
    init?(environment: [String: String], image: String?) {
        guard let subscription = environment["LAB_AZURE_SUBSCRIPTION"], let group = environment["LAB_AZURE_GROUP"]
        else {
            return nil
        }
        jobVariables = [
            "image": .string(image ?? "busybox:lab"), "entrypoint": nil, "subscription_id": .string(subscription),
            "resource_group_name": .string(group),
        ]
        expectations = ConformanceExpectations(
            refusedJobVariables: [
                ["image": "nowhere/none:1"], ["resource_group_name": "nowhere"], ["cpu": 0],
                ["aci_credentials": ["client_id": "x"]],
            ], beginning: .seconds(3), timeLimit: .seconds(180))
    }
}
