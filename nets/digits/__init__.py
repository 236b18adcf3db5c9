"""A small convolutional network for handwritten digits: what `make sim` runs."""
