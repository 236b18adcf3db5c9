"""Agents: one file per protocol, a class per role, handles passed in."""
