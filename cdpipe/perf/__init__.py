"""What asv measured, and what it means. Imports nothing else of cdpipe."""
