"""The element-wise stage alone, for its arithmetic."""
