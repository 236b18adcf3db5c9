"""Bench of compute."""
