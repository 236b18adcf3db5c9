"""The chip against programs that mean it no good."""
