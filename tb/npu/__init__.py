"""The core alone, with the host and the memory in Python."""
