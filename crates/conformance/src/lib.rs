//! One suite per port that every adapter of the port must pass.
