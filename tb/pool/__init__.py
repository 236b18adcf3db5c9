"""Bench of pool."""
