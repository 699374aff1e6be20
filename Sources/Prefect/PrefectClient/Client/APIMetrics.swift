internal import CoreMetrics
internal import HTTPTransport
internal import Synchronization

/// Counts and times requests by their routes. Counters and timers are kept, so that a request costs only a look-up.
final class APIMetrics: Sendable {
    private struct Key: Hashable {
        let method: String
        let route: String
    }

    private struct Route {
        let duration: Timer
        let retries: Counter
        /// The counters by the status of the answer; `nil` stands for no answer.
        var requests: [Int?: Counter] = [:]
    }

    private let factory: any MetricsFactory
    private let routes = Mutex<[Key: Route]>([:])

    init(_ factory: any MetricsFactory) { self.factory = factory }

    /// Records an attempt that began at `start`, and the status of its answer, if there was one.
    func finished(_ request: APIRequest, status: Int?, since start: ContinuousClock.Instant) {
        let duration = ContinuousClock.now - start
        let (timer, counter) = with(request) { route, labels in
            let counter =
                route.requests[status]
                ?? Counter(
                    label: "prefect_worker_api_requests_total",
                    dimensions: labels + [("code", status.map(String.init) ?? "none")], factory: factory)
            route.requests[status] = counter
            return (route.duration, counter)
        }
        counter.increment()
        timer.recordNanoseconds(Int64(duration.inSeconds * 1e9))
    }

    /// Records that another attempt follows.
    func retried(_ request: APIRequest) { with(request) { route, _ in route.retries }.increment() }

    private func with<Result: Sendable>(
        _ request: APIRequest, _ body: (inout Route, [(String, String)]) -> Result
    ) -> Result {
        let key = Key(method: request.method.rawValue, route: request.route)
        let labels = [("method", key.method), ("route", key.route)]
        return routes.withLock { routes in
            var route =
                routes[key]
                ?? Route(
                    duration: Timer(
                        label: "prefect_worker_api_request_duration_seconds", dimensions: labels, factory: factory),
                    retries: Counter(label: "prefect_worker_api_retries_total", dimensions: labels, factory: factory))
            defer { routes[key] = route }
            return body(&route, labels)
        }
    }
}
