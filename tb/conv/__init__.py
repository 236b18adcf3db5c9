"""Bench of conv."""
