"""Values moved together by their bits against NumPy's index by a mask."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import load_plain

from cdpipe.kernels.buffers import simd_compress as compress

PLAIN = load_plain("buffers.simd_compress")
WIDTHS = pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
BOTH = pytest.mark.parametrize("module", [compress, PLAIN], ids=["compiled", "plain"])


@numba.njit
def _compress(values, at, mask, out, to):
    compress.compress(values, at, mask, out, to)


@BOTH
@WIDTHS
@settings(max_examples=30)
@given(bits=st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**63, 2**64 - 1]), at=st.integers(0, 9))
def test_the_values_whose_bit_is_set_go_next_to_each_other_and_nothing_outside_is_touched(module, dtype, bits, at):
    lanes = compress.MOVED // np.dtype(dtype).itemsize
    values = np.random.default_rng(at).integers(0, 2**8, (at + lanes) * np.dtype(dtype).itemsize, np.uint8).view(dtype)
    values.flags.writeable = False
    mask = bits & (2**lanes - 1)
    wanted = values[at:][[bool(mask >> i & 1) for i in range(lanes)]]
    out = np.full(lanes + 4, 7, dtype)  # no byte before or behind the 64 is written to
    call = _compress if module is compress else module.compress
    call(values, at, np.uint64(mask), out, 3)
    assert out[:3].tolist() == [7, 7, 7]
    assert out[3 : 3 + wanted.size].tolist() == wanted.tolist()
    assert out[-1] == 7


@pytest.mark.slow
@pytest.mark.parametrize("features", ["+sse2", "+sse2,+ssse3,+avx,+avx2"], ids=["without AVX2", "with AVX2 alone"])
def test_it_does_the_same_on_processors_that_have_less(features):
    lacking = [each for each in features.split(",") if f"{each[1:]} " not in Path("/proc/cpuinfo").read_text()]
    if lacking:
        pytest.skip(f"this processor has no {', '.join(lacking)} to try it with")
    env = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": features}
    env.pop("PYTEST_XDIST_WORKER", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "next_to_each_other"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "\n8 passed" in done.stdout
