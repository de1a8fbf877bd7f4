"""Buffers: arrays and cells as kernels take them, made, viewed, selected and compressed."""
