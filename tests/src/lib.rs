//! Black-box tests: the server as its clients see it.
