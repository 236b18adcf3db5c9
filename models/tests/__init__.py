"""Judges: the models against LiteRT's reference kernels."""
