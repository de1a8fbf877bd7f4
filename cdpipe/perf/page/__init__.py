"""The bottleneck report as a page of asv's site."""
