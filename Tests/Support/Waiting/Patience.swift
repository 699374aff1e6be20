extension Duration {
    /// How long a test with this limit really waits.
    ///
    /// A limit of ten seconds or more only ends a test that would wait forever. On a busy machine a disk or a server
    /// may stall for longer than that, so the test waits three times the limit. A shorter limit is part of the
    /// behaviour under test.
    var patient: Duration { self >= .seconds(10) ? self * 3 : self }
}
