"""Trained networks of the project, one folder each."""
