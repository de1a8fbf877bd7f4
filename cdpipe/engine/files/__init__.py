"""Files: sources cut into blocks, parts of data sets, and the digests and locks that keep them."""
