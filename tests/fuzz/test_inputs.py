# SPDX-License-Identifier: GPL-2.0-only
"""Whatever a user gives: an answer or one line, never a traceback."""

from __future__ import annotations

import io
import os
import re
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproof.cli.options import NUMBER
from bounceproof.errors import InputError
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import FIXES, STATES, UnknownName, device, kernel_state
from bounceproof.models.kernels.fix import FixDoesNotApply
from bounceproof.models.requests.defaults import FIELDS
from bounceproof.report.batches import BadLine, answer_lines

KERNEL = BuiltinKernel(kernel_state("v6.6"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
near = st.sampled_from([0, 1, 127, 128, 256, 512, 4096, 4095, 65536, 1 << 20])
lines = st.dictionaries(
    st.sampled_from([*FIELDS, "kernel", "bogus"]), near | json_values, max_size=4
)


names = st.sampled_from([*STATES, *FIXES, "latest"]) | st.text(max_size=12)
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
LARGEST = 1 << 128
digits = st.text("0123456789xXkKmMgGaF_+- ", max_size=8) | st.text(max_size=8)


@given(st.lists(names, min_size=1, max_size=3))
def test_kernel_names(parts: list[str]) -> None:
    name = "+".join(parts)
    base, *fixes = name.split("+")
    known = base in (*STATES, "latest") and all(fix in FIXES for fix in fixes)
    try:
        found = kernel_state(name)
    except UnknownName as error:
        assert not known
        wrong = [] if base in (*STATES, "latest") else [base]
        wrong += [fix for fix in fixes if fix not in FIXES]
        assert f"'{wrong[0]}'" in str(error)
    except FixDoesNotApply as error:
        assert known
        assert any(fix in str(error) for fix in fixes)
    else:
        assert known
        assert fixes or found in STATES.values()


@given(st.integers(0, LARGEST - 1), st.sampled_from([*UNITS]), st.booleans())
def test_numbers(value: int, unit: str, large: bool) -> None:
    told = unit.upper() if large else unit
    sizes = (f"{value}{told}", value * UNITS[unit]), (f"{value:#x}", value)
    for text, means in sizes:
        if means < LARGEST:
            assert NUMBER.convert(text, None, None) == means
        else:
            with pytest.raises(InputError, match="too large"):
                NUMBER.convert(text, None, None)


@settings(max_examples=500)
@given(digits)
def test_what_is_no_number(text: str) -> None:
    shape = re.fullmatch(r"\s*([+-]?\d+)\s*([kmg]?)\s*", text, re.I)
    plain = re.fullmatch(r"\s*0x[0-9a-f]+\s*", text, re.I)
    if shape is not None and plain is None:
        means = int(shape[1]) * UNITS[shape[2].lower()]
        assert NUMBER.convert(text, None, None) == means
    elif plain is not None:
        assert NUMBER.convert(text, None, None) == int(text, 16)
    else:
        with pytest.raises(InputError) as refused:
            NUMBER.convert(text, None, None)
        assert str(refused.value).endswith("not a number (decimal or 0x..., K, M, G)")


@settings(max_examples=200, deadline=None)
@given(lines | st.binary(max_size=30))
def test_batch_lines(line: dict[str, object] | bytes) -> None:
    import json

    data = line if isinstance(line, bytes) else json.dumps(line).encode()
    with tempfile.TemporaryFile() as source:
        source.write(data + b"\n")
        source.seek(0)
        sink = io.BytesIO()
        try:
            descriptor = os.dup(source.fileno())
            answer_lines(descriptor, sink.write, KERNEL, device("nvme"), {})
        except BadLine as error:
            assert str(error).startswith("line ")
            return
    for answer in sink.getvalue().splitlines():
        assert "ok" in json.loads(answer)
