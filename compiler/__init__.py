"""Compiler: a quantised network in, a DRAM image and a program out."""
