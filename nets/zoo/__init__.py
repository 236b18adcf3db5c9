"""Trained networks that ship in wheels on PyPI, as float .onnx files for `make net` (nets/README.md)."""
