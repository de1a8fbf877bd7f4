"""Known work that tests hand to sessions; it travels to workers by value, as they cannot import it."""

import sys
import time

import cloudpickle
import dask

cloudpickle.register_pickle_by_value(sys.modules[__name__])


@dask.delayed
def double(value):
    return 2 * value


@dask.delayed
def pick(container, name):
    return container[name]


class BrokenVehicleError(Exception):
    pass


@dask.delayed
def fail(text):
    raise BrokenVehicleError(text)


@dask.delayed
def touch(path, index, seconds):
    (path / str(index)).touch()
    time.sleep(seconds)


def burn_thread(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))


@dask.delayed
def burn(index, seconds):
    burn_thread(seconds)
    return index


@dask.delayed
def hold(index, size):
    ballast = bytearray(b"1") * size
    time.sleep(0.3)
    return len(ballast)
