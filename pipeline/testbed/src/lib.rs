//! What the tests stand the service between: real servers on loopback, and a core API that fails on command.
