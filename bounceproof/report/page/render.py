# SPDX-License-Identifier: GPL-2.0-only
"""The page and the pictures, by jinja2: everything that is shown is escaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

from bounceproof.errors import InputError
from bounceproof.report.formats import Answer
from bounceproof.report.judged import label, tool_json
from bounceproof.report.page.content import Drawn, Kernel
from bounceproof.report.page.figure import PLACE, svg
from bounceproof.report.page.grid import SizeMap
from bounceproof.report.page.slots import Layout
from bounceproof.report.text import size_both, table
from bounceproof.solver.answers.prove import Proved

MOST_BYTES = 1 << 20
"""Of a page."""
COARSER = (1, 2, 4, 8)
"""How many times as coarse maps are made until the page is small enough."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _clean(value: Any) -> Any:
    """Text without control characters, which neither HTML nor SVG may have."""
    from markupsafe import Markup

    if isinstance(value, str) and not isinstance(value, Markup):
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)
    return value


def _told(drawn: Drawn) -> str:
    """A map in words, for who does not see it."""
    shown = drawn.shown
    assert shown is not None
    sent = [at for at, size in enumerate(shown.sizes) if size <= shown.limit]
    within = shown.fails[:, sent]
    share = 100 * float(within.mean()) if within.size else 100.0
    known = "how low the limit would have to be is not proved"
    if shown.true_limit is not None:
        known = "no size is safe"
        if shown.true_limit:
            known = f"no request up to {size_both(shown.true_limit)} breaks it"
    return (
        f"{drawn.where}: {share:.0f} % of the {within.size} requests drawn within the "
        f"driver's limit break it, each with the address at its lower and the size at "
        f"its right edge, and all else as in the smallest request. The driver's limit "
        f"is {size_both(shown.limit)}; {known}."
    )


def _data(drawn: Drawn, prop: str) -> dict[str, Any]:
    """What the page's script is told of a map."""
    shown = drawn.shown
    assert shown is not None
    rows = ["".join("1" if bad else "0" for bad in row) for row in shown.fails]
    column = next(i for i, size in enumerate(shown.sizes) if size >= shown.size)
    return {
        "place": PLACE,
        "sizes": shown.sizes,
        "offsets": shown.offsets,
        "base": shown.base,
        "span": shown.span,
        "limit": shown.limit,
        "rows": rows,
        "at": [column, shown.offsets.index(shown.offset)],
        "breaks": f"breaks {prop}",
        "keeps": f"does not break {prop}",
        "command": drawn.command,
    }


def _svg(shown: SizeMap, name: str) -> Any:
    from markupsafe import Markup

    return Markup(svg(shown, name))


def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("bounceproof.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"svg": _svg, "told": _told, "data": _data}
    return made


def require_libraries() -> None:
    """Raise InputError, before work is done, where a library is missing."""
    for name in ("jinja2", "matplotlib"):
        if find_spec(name) is None:
            why = f"pages need {name}: pip install 'bounceproof[report]'"
            raise InputError(why)


def page(kernels: Sequence[Kernel]) -> str:
    """The page as HTML, in one file."""
    told = ", ".join(f"{n} {version}" for n, version in tool_json().items() if version)
    drawn = [
        one
        for kernel in kernels
        for section in kernel.sections
        for one in (section.drawn, section.drawn_before)
    ]
    maps = any(one is not None and one.shown is not None for one in drawn)
    template = _environment().get_template("report.html.j2")
    text: str = template.render(kernels=kernels, tool=told, maps=maps)
    return text


def small_page(made: Callable[[int], Sequence[Kernel]]) -> str:
    """The finest page of at most :data:`MOST_BYTES`, else the coarsest.

    ``made`` gives the kernels with maps as many times as coarse as it is told.
    """
    text = ""
    for coarser in COARSER:
        text = page(made(coarser))
        if len(text.encode()) <= MOST_BYTES:
            break
    return text


def slots_svg(slots: Layout) -> str:
    """A slot set as an SVG file."""
    text: str = _environment().get_template("slots.svg.j2").render(set=slots)
    return f"{text.strip()}\n"


def pictures(kernel: Kernel) -> Iterator[tuple[str, str]]:
    """File names and SVG of what there is to draw of a kernel."""
    for section in kernel.sections:
        if section.drawn is not None and section.drawn.shown is not None:
            name = f"{section.prop}-map.svg"
            yield name, svg(section.drawn.shown, section.prop.value, whole=True)
        if section.example is not None and section.example.slots is not None:
            yield f"{section.prop}-slots.svg", slots_svg(section.example.slots)


def written(found: Sequence[Proved], file: str, size: int) -> Answer:
    """What ``report`` says of the page that it wrote, ``size`` bytes."""

    def fields() -> dict[str, Any]:
        kernels = [
            {
                "kernel": label(one.kernel.model),
                "base": None if one.base is one.kernel else label(one.base.model),
                "verdict": one.kernel.verdict.shown,
            }
            for one in found
        ]
        return {"kernels": kernels, "file": file, "bytes": size}

    rows = [(label(f.kernel.model), f.kernel.verdict.shown) for f in found]
    lines = [*table(rows, ""), f"{file}: {max(size >> 10, 1)} KiB"]
    return Answer("report", fields, lambda verbose: "\n".join(lines))


def drawn(kernel: Kernel, files: Sequence[str]) -> Answer:
    """What ``plot`` says of the files that it wrote."""
    left_out = [
        {"property": section.prop.value, "reason": section.drawn.why}
        for section in kernel.sections
        if section.drawn is not None and section.drawn.shown is None
    ]

    def fields() -> dict[str, Any]:
        named = {"kernel": kernel.name, "verdict": kernel.verdict}
        return {**named, "files": list(files), "left_out": left_out}

    lines = list(files)
    lines += [f"no map of {one['property']}: {one['reason']}" for one in left_out]
    lines = lines or [f"nothing to draw: {kernel.name}: {kernel.verdict}"]
    return Answer("plot", fields, lambda verbose: "\n".join(lines))
