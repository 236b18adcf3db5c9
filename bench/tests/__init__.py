"""Tests of the networks that `make bench` runs, and of what it makes of its measurements."""
