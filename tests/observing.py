"""Observers of runs for tests: sentences into a list, partitions to a function."""

from cdpipe.engine.run.observer import PartitionDone, PartitionsBegan, RunObserver, Said


def observing(*, said=None, on_partition=None):
    """Return an observer that collects sentences, and calls a function as (part, done, total, outcome).

    As partitions begin, that is (part, 0, total, None).
    """

    def see(event):
        match event:
            case Said(sentence) if said is not None:
                said.append(sentence)
            case PartitionsBegan(part, total) if on_partition is not None:
                on_partition(part, 0, total, None)
            case PartitionDone() if on_partition is not None:
                on_partition(*event)

    return RunObserver(see)
