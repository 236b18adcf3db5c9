"""Reference models: what the hardware must compute, in numpy, independent of the test bench."""
