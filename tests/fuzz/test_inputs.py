# SPDX-License-Identifier: GPL-2.0-only
"""Whatever a user gives: an answer or one line, never a traceback."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproof.cli.options import NUMBER
from bounceproof.errors import InputError
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import UnknownName, device, kernel_state
from bounceproof.models.defaults import FIELDS
from bounceproof.models.fix import FixDoesNotApply
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


@given(st.text(max_size=20))
def test_kernel_names(name: str) -> None:
    try:
        kernel_state(name)
    except (UnknownName, FixDoesNotApply) as error:
        assert "\n" not in str(error) or "\n" in name


@given(st.text(max_size=12))
def test_numbers(text: str) -> None:
    with contextlib.suppress(InputError):
        assert isinstance(NUMBER.convert(text, None, None), int)


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
