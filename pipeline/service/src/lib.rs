//! The live service between its ports: one log in, one engine, effects out, and what a crash leaves is taken up again.
