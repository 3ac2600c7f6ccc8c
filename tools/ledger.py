# SPDX-License-Identifier: GPL-2.0-only
"""Re-check the claims in proofs/ledger.json, or write them anew.

A claim is a command and what it answers.  ``verify`` runs the commands of the claims
named, or of all, and says where an answer is another one; ``refresh`` runs them and
writes the answers down, new claims first; ``list`` prints the claims.  Claims about the
verdict tables come from tools/verdict_table.py, the others stand below.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import bounceproof
from bounceproof.models.builtin import BuiltinKernel
from tools.verdict_table import MACHINES, groups

ROOT = Path(__file__).resolve().parent.parent
LEDGER = ROOT / "proofs" / "ledger.json"
Claim = dict[str, Any]

THREAD = (
    "--page-size 64K --granule 64K --path iommu --device nvme --nslabs 32768 --nareas 1"
)
FITS = f"--property fits {THREAD} --json"
ONE = f"{THREAD} --json"
PACKAGES = "build/kernels"
BY_HAND = (
    ("T1", "v6.6 behind a 64 KiB granule fails within its limit of 2 MiB",
     f"check v6.6 {FITS}"),
    ("T1/unaligned", "320 KiB from 512 bytes into a granule fail in v6.6",
     f"simulate v6.6 --size 327680 --orig-addr 0x10200 {ONE}"),
    ("T1/aligned", "the same from a granule's start needs no bounce buffer",
     f"simulate v6.6 --size 327680 --orig-addr 0x10000 {ONE}"),
    ("T2", "the limit alone does not close it: sz 262144 remains",
     f"check v6.6+nicolin-v1-1 {FITS}"),
    ("T3", "limit and mask together close it",
     f"prove v6.6+nicolin-v1-1+nicolin-v1-2 {FITS}"),
    ("T4", "the third revision of the other series fails for 512 bytes",
     f"prove v6.6+will-v3 {FITS}"),
    ("T5", "512 bytes at 0x105774600 pass with the series",
     f"simulate v6.6+will-v3 --size 512 --orig-addr 0x105774600 {ONE}"),
    ("T5/edited", "with the mask 0x7ff they fail",
     f"simulate v6.6+will-v3-mask7ff --size 512 --orig-addr 0x105774600 {ONE}"),
    ("T6", "a limit aligned down to the granule closes it without the mask",
     f"check v6.6+nicolin-align-down {FITS}"),
    ("T7", "series, draft and limit fail for addresses off 2 KiB",
     f"check v6.6+will-v3+will-draft-4+nicolin-v1-1 {FITS}"),
    ("T7/aligned", "and hold for addresses that are multiples of 2 KiB",
     f"check v6.6+will-v3+will-draft-4+nicolin-v1-1 --addr-step 2K {FITS}"),
    ("T8/before", "v6.9 is still in that state", f"check v6.9 {FITS}"),
    ("T8", "v6.10, which rounds in swiotlb, holds", f"check v6.10 {FITS}"),
    ("theorem", "in v6.10 every mask below the granule fits, in v6.9 not every one",
     "theorem v6.9 v6.10 --property fits --json"),
    ("invariant", "every history of calls keeps list[] and used right, in each state "
     "whose code of list[] differs",
     "invariant v5.10.223 v6.1.192 v6.6.9 latest --json"),
    ("invariant/restricted", "in a pool that ends inside a slot set a release reads "
     "list[] behind its end", "invariant v6.1.192 latest --pool partial --json"),
    ("conform/6.1",
     "behind a 64 KiB granule v6.1.192 is what Debian 12's linux-source-6.1 does",
     f"conform v6.1.192 {PACKAGES}/linux-source-6.1.tar.xz --path iommu "
     "--page-size 64K --granule 64K --json"),
    ("conform/6.1/direct",
     "so it is through dma-direct with 4 KiB pages",
     f"conform v6.1.192 {PACKAGES}/linux-source-6.1.tar.xz --path direct "
     "--page-size 4K --json"),
    ("conform/6.12",
     "with 64 KiB pages v6.12.107 is what Debian 12's linux-source-6.12 does",
     f"conform v6.12.107 {PACKAGES}/linux-source-6.12.tar.xz --page-size 64K --json"),
)  # fmt: skip


def table_claims() -> Iterator[Claim]:
    """One claim for each row of each verdict table, those not in the README too."""
    from bounceproof.models.contract import Property, applies

    for machine in MACHINES:
        where = f"--device {machine.device} --path {machine.path} "
        where += f"--page-size {machine.page_size}"
        for option in ("granule", "min_align_mask", "seg_boundary_mask"):
            value = getattr(machine, option)
            where += "" if value is None else f" --{option.replace('_', '-')} {value}"
        for states in groups():
            if BuiltinKernel(states[0]).unsupported(machine.path) is None:
                names = [state.name for state in states]
                asked = [p for p in Property if applies(p, machine.path)]
                wanted = " ".join(f"--property {prop}" for prop in asked)
                yield {
                    "id": f"table/{machine.key}/{names[0]}",
                    "claim": f"the row of {', '.join(names)}: {machine.title}",
                    "kernels": names,
                    "command": f"check {names[0]} {where} {wanted} --json",
                }


def claims() -> list[Claim]:
    """Every claim, without its answer."""
    by_hand = [
        {"id": name, "claim": text, "kernels": kernels_of(command), "command": command}
        for name, text, command in BY_HAND
    ]
    return [*by_hand, *table_claims()]


def kernels_of(command: str) -> list[str]:
    """The kernels a command names."""
    from bounceproof.models.catalog import UnknownName, kernel_state

    found = []
    for word in shlex.split(command)[1:]:
        try:
            found.append(kernel_state(word).name)
        except UnknownName:
            continue
    return found


def lacks(claim: Claim) -> str | None:
    """The file that a claim's command reads and that is not there."""
    files = [w for w in shlex.split(claim["command"]) if w.startswith("build/")]
    return next((name for name in files if not (ROOT / name).exists()), None)


def run(claim: Claim) -> tuple[dict[str, Any], dict[str, Any], float]:
    """A claim's answer, what stands behind it, and the seconds it took."""
    started = monotonic()
    command = [sys.executable, "-m", "bounceproof", *shlex.split(claim["command"])]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    took = round(monotonic() - started, 1)
    if not done.stdout:
        return {"exit_code": done.returncode, "error": done.stderr.strip()}, {}, took
    said = json.loads(done.stdout)
    answer, evidence = read(said)
    return {"exit_code": done.returncode, **answer}, evidence, took


def read(said: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The verdicts of a command's JSON, and domain and counterexamples with them."""
    if "properties" in said:
        verdicts = {p["property"]: p["verdict"] for p in said["properties"]}
        return {"verdicts": verdicts}, {
            "domain": said.get("domain"),
            "counterexamples": _examples(said["properties"]),
        }
    if "kernels" in said:
        each = {
            k["kernel"]: k.get("verdict")
            or {t["property"]: t["verdict"] for t in k["theorems"]}
            for k in said["kernels"]
        }
        parts = [k.get("theorems") or k["lemmas"] for k in said["kernels"]]
        found = {
            k["kernel"]: _examples(p)
            for k, p in zip(said["kernels"], parts, strict=True)
        }
        return {"verdicts": each}, {
            "domain": said["kernels"][0]["domain"],
            "counterexamples": {k: v for k, v in found.items() if v},
        }
    kept = ("verdict", "ok", "bounced", "slot", "nslots", "tlb_addr", "sz", "hang")
    return {name: said[name] for name in kept if name in said}, {}


def _examples(parts: list[dict[str, Any]]) -> dict[str, Any]:
    found = {}
    for part in parts:
        example = part["counterexample"]
        if example is not None:
            name = part.get("property") or f"{part['lemma']}: {part['failed']}"
            kept = {k: v for k, v in example.items() if isinstance(v, int | str)}
            found[name] = kept | {"minimum": part.get("minimum", True)}
    return found


def load() -> dict[str, Claim]:
    """The claims with their answers, by id."""
    written = json.loads(LEDGER.read_text()) if LEDGER.exists() else {"claims": []}
    return {claim["id"]: claim for claim in written["claims"]}


def save(known: dict[str, Claim], order: list[Claim]) -> None:
    """Write the claims that have an answer, or leave the old ones whole."""
    kept = [known[c["id"]] for c in order if c["id"] in known]
    lines = ",\n".join(json.dumps(claim) for claim in kept)
    fresh = LEDGER.with_suffix(".new")
    fresh.write_text(f'{{"schema": 1, "claims": [\n{lines}\n]}}\n')
    fresh.replace(LEDGER)


def refresh(wanted: list[str], missing: bool) -> int:
    """Run the commands and write down what they answer."""
    from bounceproof.solver.smt.engine import solver_version

    known, order = load(), claims()
    for claim in order:
        if not chosen(claim, wanted) or lacks(claim):
            continue
        old = known.get(claim["id"])
        if missing and old is not None and old["command"] == claim["command"]:
            continue
        answer, evidence, took = run(claim)
        known[claim["id"]] = {
            **claim,
            "answer": answer,
            "evidence": evidence,
            "checked": {
                "date": datetime.now(UTC).date().isoformat(),
                "tool": bounceproof.__version__,
                "solver": solver_version(),
                "seconds": took,
            },
        }
        save(known, order)
        print(f"{claim['id']}: {answer} {took} s", flush=True)
    return 0


def chosen(claim: Claim, wanted: list[str]) -> bool:
    """Whether one of the words given begins the claim's id."""
    return not wanted or any(claim["id"].startswith(word) for word in wanted)


def verify(wanted: list[str]) -> int:
    """Run the commands again; 1 where an answer differs or a claim has none."""
    known, wrong = load(), 0
    for claim in claims():
        if not chosen(claim, wanted):
            continue
        written, file = known.get(claim["id"]), lacks(claim)
        if written is None:
            print(f"{claim['id']}: no answer is written down")
            wrong += 1
        elif file is not None:
            print(f"{claim['id']}: not run: no {file}")
        else:
            answer, _, took = run(written)
            same = answer == written["answer"]
            wrong += not same
            said = "as written" if same else f"DIFFERS: {answer}, {written['answer']}"
            print(f"{claim['id']}: {said} ({took} s)", flush=True)
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("verify", "refresh", "list"))
    parser.add_argument("--missing", action="store_true", help="refresh: new ones only")
    parser.add_argument("id", nargs="*", help="what a claim's id begins with")
    options = parser.parse_intermixed_args()
    if options.action == "verify":
        return verify(options.id)
    if options.action == "refresh":
        return refresh(options.id, options.missing)
    for claim in claims():
        if chosen(claim, options.id):
            print(
                f"{claim['id']}: {claim['claim']}\n    bounceproof {claim['command']}"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
