# SPDX-License-Identifier: GPL-2.0-only
"""How a kernel's swiotlb_tbl_map_single() is called: it differs by version."""

from __future__ import annotations

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.kernels.state import IommuBounce, Rounding
from bounceproof.models.request import KernelModel

_ATTRS_BY_ADDRESS = ("v7.3.4",)
"""Built-in states whose swiotlb_tbl_map_single() takes a pointer to attrs."""
_HEAD = "return swiotlb_tbl_map_single("
_TAB, _COLUMNS = 8, 80


def _parameters(model: KernelModel, page_size: int) -> tuple[bool, bool, bool]:
    """Whether it takes alloc_size, an allocation mask, and attrs by address."""
    if isinstance(model, BuiltinKernel):
        state = model.state
        return (
            state.rounding is Rounding.CALLER,
            state.iommu_bounce is not IommuBounce.NONE,
            state.name.partition("+")[0] in _ATTRS_BY_ADDRESS,
        )
    from bounceproof.source.cparse import syntax as c
    from bounceproof.source.kernel.kernel import SourceKernel

    assert isinstance(model, SourceKernel)
    function = model.program(page_size).function("swiotlb_tbl_map_single")
    found = [] if function is None else function.parameters
    kinds = {name: kind for _, name, kind in found}
    mask = any(name.startswith("alloc_align") for name in kinds)
    by_address = isinstance(kinds.get("attrs"), c.PointerType)
    return "alloc_size" in kinds, mask, by_address


def map_call(model: KernelModel, page_size: int) -> str | None:
    """The statement that maps, in the kernel's style; None where the kernel is from
    before allocation masks."""
    size, mask, by_address = _parameters(model, page_size)
    if not mask:
        return None
    arguments = ["ctx->dev", "phys", "size", *(["alloc_size"] if size else [])]
    arguments += ["alloc_align_mask", "DMA_FROM_DEVICE"]
    arguments.append("&attrs" if by_address else "attrs")
    return _folded(arguments)


def _folded(arguments: list[str]) -> str:
    column = _TAB + len(_HEAD)
    indent = "\t" * (column // _TAB) + " " * (column % _TAB)
    lines, now, at = list[str](), f"\t{_HEAD}", column
    for number, argument in enumerate(arguments):
        word = f"{argument});" if number + 1 == len(arguments) else f"{argument},"
        if at + len(word) > _COLUMNS:
            lines.append(now.rstrip())
            now, at = indent, column
        now, at = f"{now}{word} ", at + len(word) + 1
    return "\n".join([*lines, now.rstrip()])
