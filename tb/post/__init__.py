"""Bench of post."""
