"""A run: inputs, passes over the data set, projected memory and meters."""
