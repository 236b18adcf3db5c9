"""The front door: what `make` calls."""
