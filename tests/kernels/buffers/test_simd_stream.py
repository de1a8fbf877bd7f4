"""Values streamed past the caches against NumPy's own conversion."""

import numba
import numpy as np
import pytest
from texts import load_plain

from cdpipe.kernels.buffers import simd_stream as stream

PLAIN = load_plain("buffers.simd_stream")


@numba.njit
def _stream(values, at, out, to):
    stream.stream_singles(values, at, out, to)
    stream.settle_streams()


@pytest.mark.parametrize("module", [stream, PLAIN], ids=["compiled", "plain"])
@pytest.mark.parametrize("at", [0, 1, 7])
def test_sixteen_values_are_rounded_and_nothing_beside_them_is_touched(module, at):
    values = np.random.default_rng(at).normal(0, 1e6, 32)
    values[at : at + 4] = [np.nan, np.inf, 1e300, -0.0]
    memory = np.full(64, 7, np.float32)
    out = memory[-memory.__array_interface__["data"][0] // 4 % 16 :][:48]
    if module is stream:
        _stream(values, at, out, 16)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            module.stream_singles(values, at, out, 16)
        module.settle_streams()
    with np.errstate(over="ignore", invalid="ignore"):
        expected = values[at : at + 16].astype(np.float32)
    assert out[16:32].tobytes() == expected.tobytes()
    assert out[:16].tolist() == out[32:48].tolist() == [7] * 16
