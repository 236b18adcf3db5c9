"""Functional and code coverage: read what simulations counted, merge it, report it, hold it to gates."""
