"""Start-up: what `import cdpipe` costs, and the memory below which no stage can be."""


def timeraw_import_cdpipe() -> str:
    """Return what a fresh interpreter is to do."""
    return "import cdpipe"


timeraw_import_cdpipe.number = 1
timeraw_import_cdpipe.repeat = (4, 10, 3.0)
timeraw_import_cdpipe.rounds = 2
timeraw_import_cdpipe.warmup_time = 0.001  # one import beforehand, which compiles to bytecode
timeraw_import_cdpipe.cdpipe_stage = "import"
timeraw_import_cdpipe.cdpipe_figure = "seconds"
timeraw_import_cdpipe.pretty_name = "import: seconds"


def peakmem_reference() -> None:
    """Import what the stages import, and do nothing: the floor of every other peak."""
    import dask.dataframe as dd

    import cdpipe
    from cdpipe.engine import probe

    assert all((cdpipe.clean, cdpipe.run, dd.read_parquet, probe))


peakmem_reference.cdpipe_stage = "import"
peakmem_reference.cdpipe_figure = "peak_bytes"
peakmem_reference.pretty_name = "import: peak bytes, the floor of all others"
