"""Benchmarks that print ratios; ``python -m benchmarks`` lists them."""
