# SPDX-License-Identifier: GPL-2.0-only
"""``import bounceproof`` answers as the commands do, with records for programs."""

from __future__ import annotations

import json
import pickle
import shlex
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

import bounceproof
from tests.conftest import Run

THREAD: dict[str, Any] = {
    "page_size": 65536,
    "granule": 65536,
    "nslabs": 32768,
    "nareas": 1,
}
OPTIONS = (
    "--page-size",
    "64K",
    "--granule",
    "64K",
    "--nslabs",
    "32768",
    "--nareas",
    "1",
)
LOG = (
    "nvme 0000:00:01.0: swiotlb buffer is full (sz: 262144 bytes), "
    "total 32768 (slots), used 0 (slots)\n"
)


def without_time(told: Any) -> Any:
    """JSON without how long it took."""
    if isinstance(told, dict):
        return {k: without_time(v) for k, v in told.items() if k != "seconds"}
    return [without_time(one) for one in told] if isinstance(told, list) else told


@pytest.fixture
def checked() -> bounceproof.Check:
    return bounceproof.check("v6.9", properties=["fits"], **THREAD)


def test_check_is_what_the_command_says(checked: bounceproof.Check, run: Run) -> None:
    told = run("check", "v6.9", "--property", "fits", *OPTIONS, "--json")
    assert without_time(json.loads(json.dumps(checked.json))) == without_time(told.json)
    assert checked.exit_code == told.code == 1
    assert str(checked) == run("check", "v6.9", "--property", "fits", *OPTIONS).out[:-1]


def test_a_finding_has_its_counterexample(checked: bounceproof.Check, run: Run) -> None:
    found = checked["fits"].counterexample
    assert found is not None
    assert (found.request.size, found.request.orig_addr) == (197120, 0x10004)
    assert (found.outcome.ok, found.outcome.nslots) == (False, 129)
    assert found.confirmed and found.minimum and found.limit == 258048
    again = run(*shlex.split(found.command)[1:], "--json").json
    assert again["sz"] == found.outcome.sz
    with pytest.raises(KeyError):
        checked["halts"]


def test_prove_names_what_is_fixed() -> None:
    pair = "v6.6+nicolin-v1-1+nicolin-v1-2"
    proved = bounceproof.prove(pair, properties=["fits"], **THREAD)
    assert (proved.base, proved.verdict, proved.exit_code) == ("v6.6", "holds", 0)
    assert (proved.fixed, proved.regressed, proved.undecided) == (("fits",), (), ())
    assert proved.base_findings[0].verdict == "broken"


def test_simulate_runs_one_request() -> None:
    ran = bounceproof.simulate("v6.9", orig_addr=4, size=197120)
    assert not ran.outcome.ok and ran.outcome.sz == 262144
    assert ran.log_line is not None and "sz: 262144" in ran.log_line
    full = bounceproof.simulate("v6.9", size=512, taken=[(0, 32767)])
    assert not full.outcome.ok


def test_explain_takes_text_bytes_and_files(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text(LOG)
    told = [bounceproof.explain(x, kernel="6.9.1") for x in (LOG, LOG.encode(), file)]
    assert told[0].messages == told[1].messages == told[2].messages
    assert told[0].messages[0].verdict == "could-never-fit-at-its-address"
    assert told[0].messages[0].log_kernel == "v6.9"


def test_capacity_says_what_a_pool_carries(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the proofs that it rests on, which tests/capacity asks."""
    module = "bounceproof.solver.capacity.answer"
    monkeypatch.setattr(f"{module}.grounds", lambda *asked: ())
    told = bounceproof.capacity("v6.12", "128K@0:2", nslabs=256)
    assert (told.nslabs, told.nareas, told.verdict) == (256, 1, "holds")
    assert told.together is not None and told.together >= 2


BAD: list[tuple[str, Any, str]] = [
    ("check", {"kernel": "v6.99"}, "unknown kernel 'v6.99'"),
    ("check", {"kernel": "v6.9", "properties": ["fit"]}, "properties 'fit'"),
    ("check", {"kernel": "v6.9", "size": "4K"}, "size '4K': not a whole number"),
    ("check", {"kernel": "v6.9", "size": 10}, "size 10: nvme sends multiples of 512"),
    ("check", {"kernel": "v6.9", "path": "usb"}, "path 'usb': not direct"),
    ("check", {"kernel": "v6.9", "config": {"A": "y"}}, "config 'A=y'"),
    ("check", {"kernel": "v6.9", "patches": "a.patch"}, "patch 'a.patch'"),
    ("check", {"kernel": Path("none")}, "./none"),
    ("simulate", {"kernel": "v6.9", "taken": [(4, 2)]}, "taken (4, 2)"),
    ("explain", {"log": "nothing"}, "no line of swiotlb"),
    ("explain", {"log": LOG, "kernel": "2.99"}, "kernel '2.99': no such release"),
    ("capacity", {"kernel": "v6.12", "mappings": []}, "mappings: no mapping in it"),
    ("capacity", {"kernel": "v6.12", "mappings": "4K", "cpus": 0}, "cpus 0"),
]


@pytest.mark.parametrize(("name", "arguments", "told"), BAD)
def test_bad_input_is_named(name: str, arguments: Any, told: str) -> None:
    with pytest.raises(bounceproof.InputError) as error:
        getattr(bounceproof, name)(**arguments)
    assert told in str(error.value)


def test_a_field_that_does_not_exist_is_a_type_error() -> None:
    wrong: Any = {"siz": 1}
    with pytest.raises(TypeError, match="no field 'siz'"):
        bounceproof.check("v6.9", **wrong)


def test_answers_are_frozen_and_can_be_kept(checked: bounceproof.Check) -> None:
    changed: Any = checked
    with pytest.raises(FrozenInstanceError):
        changed.verdict = "holds"
    assert pickle.loads(pickle.dumps(checked)) == checked
    assert len({checked, checked}) == 1


def test_html_is_escaped(tmp_path: Path) -> None:
    file = tmp_path / "<b>log"
    file.write_text(LOG.replace("nvme 0", "<script>alert(1)</script> 0"))
    told = bounceproof.explain(file, kernel="6.9.1")._repr_html_()
    assert "<script" not in told and "<b>" not in told
    assert ">holds<" not in told


def test_importing_it_imports_little() -> None:
    code = "import sys, bounceproof; dir(bounceproof); print(*sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    for heavy in ("z3", "numpy", "numba", "click", "sympy", "bounceproof.models"):
        assert heavy not in out


def test_every_name_is_there() -> None:
    for name in bounceproof.__all__:
        assert getattr(bounceproof, name) is not None
        assert name in dir(bounceproof)
    with pytest.raises(AttributeError, match="no attribute 'prof'"):
        getattr(bounceproof, "prof")  # noqa: B009
