//! Scenarios: the format, the runner, the backends, and the stream of events they produce
