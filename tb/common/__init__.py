"""Shared pieces of the block benches."""
