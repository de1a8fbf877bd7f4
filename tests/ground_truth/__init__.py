"""Small runs whose bottleneck is known by construction, and what the probe and the attribution make of them."""
