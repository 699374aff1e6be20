/// The present values of one metric, for all of its labels.
package struct MetricValues: Sendable, Hashable {
    /// The type of a metric, as Prometheus names it.
    package enum Kind: String, Sendable, Hashable {
        /// Numbers that only grow.
        case counter
        /// Numbers that go up and down.
        case gauge
        /// Distributions over buckets.
        case histogram
    }

    /// A label of a series.
    package struct Label: Sendable, Hashable {
        package let name: String
        package let value: String
    }

    /// The value of a series.
    package enum Value: Sendable, Hashable {
        case count(Int64)
        case number(Double)
        case distribution(Distribution)
    }

    /// The distribution of values over buckets.
    package struct Distribution: Sendable, Hashable {
        /// The upper bounds of the buckets, in ascending order. The last bucket has no bound.
        package let bounds: [Double]
        /// The number of values in each bucket alone, so one more than there are bounds.
        package var counts: [UInt64]
        /// The sum of all values.
        package var sum = 0.0
    }

    /// The value for one set of labels.
    package struct Series: Sendable, Hashable {
        /// The labels in the order of their names.
        package let labels: [Label]
        package let value: Value
    }

    package let name: String
    /// The meaning of the metric, in one sentence.
    package let help: String
    package let kind: Kind
    package let series: [Series]
}
