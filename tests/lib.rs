//! Shared fixtures of the cross-room tests.
