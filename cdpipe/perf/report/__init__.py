"""The bottleneck report, as text, Markdown and data."""
