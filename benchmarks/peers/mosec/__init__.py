"""mosec: a server in Rust before processes that decode and processes that predict in batches."""
