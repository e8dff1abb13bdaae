"""Benchmarks: one file each, listed in ``registry``; every one returns a plain dict."""
