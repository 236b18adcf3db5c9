"""How fast and how busy: whole networks on the RTL, measured by `make bench`."""
