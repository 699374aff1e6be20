/// The validated parameters of a connection that carries another protocol than HTTP, made by
/// `HTTPTransport.connectionPlan`.
package struct ConnectionPlan: Sendable {
    /// The parameters of the connection, the same as for a request to its host.
    let transfer: TransferPlan
}
