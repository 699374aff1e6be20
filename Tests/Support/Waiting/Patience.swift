extension Duration {
    /// How long a test really waits that gives this limit.
    ///
    /// A limit of ten seconds and more only ends a test that would wait for ever. Machines differ, and on a busy one a
    /// disk or a server may stand still for longer than that, so that three times the limit is waited for. A shorter one
    /// is part of what the test is about.
    var patient: Duration { self >= .seconds(10) ? self * 3 : self }
}
