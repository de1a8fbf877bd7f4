"""Performance: asv's results, and their meaning. Imports nothing else of cdpipe but its figures."""
