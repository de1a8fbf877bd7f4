"""Frames: columns between pandas, Arrow and kernels, and rows kept of them."""
