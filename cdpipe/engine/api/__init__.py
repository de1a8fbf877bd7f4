"""The public face: files and stages on pandas and Dask DataFrames."""
