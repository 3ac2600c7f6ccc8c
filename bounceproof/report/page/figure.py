# SPDX-License-Identifier: GPL-2.0-only
"""A map of size by address as SVG, drawn by matplotlib.

What is drawn has ids, and text is text, so that a page gives both its own colours.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from typing import Any

from bounceproof.report.page.grid import SizeMap, blocks
from bounceproof.report.text import size_both

WIDTH, HEIGHT = 7.4, 3.6
"""Of the whole figure, in inches."""
PLACE = (0.135, 0.155, 0.845, 0.68)
"""Of the map in the figure: left, bottom, width and height as parts of it."""
COLOURS = {
    "fails": "#c0392b",
    "beyond": "#b8bec6",
    "true": "#1f6f43",
    "driver": "#1a4f8b",
}
"""On white paper; a page may say otherwise."""
_HEAD = re.compile(r"(?s)^.*?(?=<svg)")
_METADATA = re.compile(r"(?s)\s*<metadata>.*?</metadata>")
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bounceproof",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def _patch(rectangles: Iterable[tuple[int, int, int, int]], name: str) -> Any:
    """Rectangles as one patch, however many they are."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    parts = [
        Path([(a, b), (c, b), (c, d), (a, d), (a, b)], closed=True)
        for a, b, c, d in rectangles
    ]
    whole = Path.make_compound_path(*parts)
    return PathPatch(whole, facecolor=COLOURS[name], edgecolor="none", linewidth=0)


def _ticks(axes: Any, shown: SizeMap) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    right, span = shown.sizes[-1], shown.span
    step = 1 << max((right // 8).bit_length(), 10)
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{int(at) >> 10}"))
    axes.yaxis.set_major_locator(MultipleLocator(max(span // 8, 1)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{int(at):#x}"))
    axes.set_xlabel("size in KiB")
    base = f" above {shown.base:#x}" if shown.base else ""
    axes.set_ylabel(f"orig_addr{base}, low bits")
    axes.set_xlim(0, right)
    axes.set_ylim(0, span)


def _line(axes: Any, at: int, name: str, text: str, row: int, right: int) -> Any:
    """A limit with its words above the map; at the right edge one that lies beyond."""
    inside = at <= right
    where = at if inside else right
    line = axes.axvline(where, color=COLOURS[name], linewidth=1.6, clip_on=False)
    if not inside:
        line.set_linestyle((0, (2, 2)))
    left = where < right * 0.6
    axes.annotate(
        text if inside else f"{text}, beyond the right edge",
        (where, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(3 if left else -3, 4 + 13 * row),
        textcoords="offset points",
        ha="left" if left else "right",
        color=COLOURS[name],
        annotation_clip=False,
    ).set_gid(f"{{id}}-{name}-text")
    line.set_gid(f"{{id}}-{name}")
    return line


def _limits(axes: Any, shown: SizeMap) -> None:
    right = shown.sizes[-1]
    told = f"driver's limit {size_both(shown.limit)}"
    _line(axes, shown.limit, "driver", told, 0, right)
    if shown.true_limit is None:
        return
    safe = "no size is safe"
    if shown.true_limit:
        safe = f"true limit {size_both(shown.true_limit)}"
    _line(axes, shown.true_limit, "true", safe, 1, right)


def figure(shown: SizeMap) -> Any:
    """The map as a matplotlib figure."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(WIDTH, HEIGHT))
    axes = made.add_axes(PLACE)
    axes.add_patch(_named(_patch(blocks(shown, shown.fails), "fails"), "fails"))
    right = shown.sizes[-1]
    if shown.limit < right:
        beyond = [(shown.limit, 0, right, shown.span)]
        axes.add_patch(_named(_patch(beyond, "beyond"), "beyond")).set_alpha(0.82)
    _limits(axes, shown)
    at = [shown.size], [shown.offset]
    mark = axes.plot(
        *at, "o", markersize=7, fillstyle="none", color="black", clip_on=False
    )
    mark[0].set_gid("{id}-mark")
    _ticks(axes, shown)
    return made


def _named(artist: Any, name: str) -> Any:
    artist.set_gid(f"{{id}}-{name}")
    return artist


def svg(shown: SizeMap, name: str = "map", *, whole: bool = False) -> str:
    """The map as SVG whose ids begin with ``name``.

    ``whole``: as a file of its own, else as an element of a page.
    """
    import matplotlib

    out = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        kept = {"Date": None}
        figure(shown).savefig(out, format="svg", transparent=not whole, metadata=kept)
    text = out.getvalue().replace("{id}", name)
    if whole:
        return text
    text = _METADATA.sub("", _HEAD.sub("", text))
    return _own_ids(text, name)


def _own_ids(text: str, name: str) -> str:
    """Every id with ``name`` before it: a page has more than one map."""
    own = re.escape(name)
    text = re.sub(rf'\bid="(?!{own}-)', f'id="{name}-', text)
    text = re.sub(rf'(xlink:href="|url\()#(?!{own}-)', rf"\1#{name}-", text)
    return text.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
