"""Kernels: arrays in, arrays out, compiled; they know no frames, no graphs and no configuration."""
