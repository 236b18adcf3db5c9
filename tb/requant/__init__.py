"""The requantiser alone, for its arithmetic: millions of sums in each rounding mode."""
