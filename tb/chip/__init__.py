"""Whole-chip bench: networks and programs on the core with its Verilog memory."""
