# SPDX-License-Identifier: GPL-2.0-only
"""The C program made of stubs, the tree's types and the functions that are run."""

from __future__ import annotations

import re

from bounceproof.models.request import Cell, Path
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.preprocess import PRODUCT
from bounceproof.source.cparse.walk import calls_of, walk
from bounceproof.source.errors import SourceError
from bounceproof.source.eval.interp import Interpreter
from bounceproof.source.eval.memory import State
from bounceproof.source.eval.outside import BOUNDARY
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.native.native_stubs import HEADER, stub
from bounceproof.source.program.assumptions import ASSUMPTIONS
from bounceproof.source.program.program import Field, Program

_INITIALISERS = (
    "swiotlb_init_io_tlb_pool",
    "swiotlb_init_io_tlb_mem",
    "swiotlb_init_with_tbl",
)
_MARK = re.compile(r"/\* in (\w+) \*/$")
_TAGS = {
    "device": "bp_device",
    "pci_dev": "bp_pci",
    "device_dma_parameters": "bp_parameters",
    "iommu_domain": "bp_domain",
    "iommu_dma_cookie": "bp_cookie",
    "io_tlb_mem": "bp_mem",
    "dev_iommu": "bp_link",
}
_MAP = "swiotlb_tbl_map_single"
_PLACED = {"page": " __attribute__((aligned(1UL << BP_PAGE_SHIFT)))"}
"""A page is known by its address: the next one is as far as its bytes."""


class Text:
    """One program for one cell."""

    def __init__(
        self, program: Program, cell: Cell, entry: c.Function, search: c.Function
    ) -> None:
        self._program, self._cell = program, cell
        self._entry, self._search = entry, search
        self._init = next(
            f for f in map(program.function, _INITIALISERS) if f is not None
        )
        self._single = "io_tlb_mem" not in program.structs
        self._functions = self._needed()
        self._names: set[str] = set()
        self._trapped: set[str] = set()
        self._starts: list[tuple[int, str]] = []

    @property
    def traps(self) -> frozenset[str]:
        """Names and functions that stop the program if it comes to them."""
        return frozenset(self._names | {f"{name}()" for name in self._trapped})

    def trap_name(self, name: str) -> None:
        """Make ``name`` a trap."""
        self._names.add(name)

    def trap_function(self, line: int) -> None:
        """Make the function at ``line`` of the last text a trap."""
        before = [name for first, name in self._starts if first <= line]
        if before:
            self._trapped.add(before[-1])

    def _called_first(self) -> list[c.Function]:
        """What main() calls."""
        return [self._entry, self._init]

    def _needed(self) -> dict[str, c.Function]:
        """The entry point, the pool's initialisation and all that they call."""
        found: dict[str, c.Function] = {}
        queue = [(f.name, f.file) for f in self._called_first()]
        queue.append(("nr_slots", self._search.file))
        while queue:
            name, file = queue.pop()
            function = self._program.function(name, file)
            if function is None or name in found or name in BOUNDARY:
                continue
            found[name] = function
            queue += [(called, function.file) for called in calls_of(function)]
        return found

    def render(self, orig_addr: int, size: int, pool: PoolNumbers) -> str:
        """The whole program for one mapping."""
        parts = [
            f"#define BP_PAGE_SHIFT {self._cell.page_shift}",
            HEADER,
            *self._types(),
            *self._constants(),
            *self._surroundings(),
            *self._stubs(),
            *self._globals(),
            *self._bodies(),
            self._main(orig_addr, size, pool),
        ]
        text = "\n".join(parts) + "\n"
        self._starts = [
            (number, match.group(1))
            for number, line in enumerate(text.split("\n"), 1)
            if (match := _MARK.match(line))
        ]
        return text

    # Types and constants.

    def _types(self) -> list[str]:
        structs = dict(self._program.structs)
        out = [f"struct {tag};" for tag in structs if "@" not in tag]
        read, done = set(structs), set[str]()
        empty = "\tint bp_empty;"

        def emit(tag: str) -> None:
            if tag in done or tag not in read or "@" in tag:
                return
            done.add(tag)
            for entry in structs[tag].values():
                if isinstance(entry.type, c.StructType):
                    emit(entry.type.tag)
            fields = [self._field(name, f, done) for name, f in structs[tag].items()]
            body = "\n".join(f"\t{line};" for line in fields if line)
            out.append(f"struct {tag} {{\n{body or empty}\n}}{_PLACED.get(tag, '')};")

        for tag in structs:
            emit(tag)
        return out

    def _field(self, name: str, entry: Field, known: set[str]) -> str | None:
        if isinstance(entry.type, c.StructType) and entry.type.tag not in known:
            return None
        kind = self._spell(entry.type)
        bits = f":{entry.bits}" if entry.bits is not None else ""
        return f"{kind} {name}{bits}" if kind else None

    def _spell(self, kind: c.Type) -> str | None:
        """C text of a type; None for one that is not known."""
        if isinstance(kind, c.IntType):
            sign = "" if kind.ctype.signed else "u"
            return "bool" if kind.boolean else f"{sign}int{kind.ctype.bits}_t"
        if isinstance(kind, c.PointerType):
            inner = self._spell(kind.to)
            return f"{inner} *" if inner else "void *"
        if isinstance(kind, c.StructType):
            return f"struct {kind.tag}" if "@" not in kind.tag else None
        if isinstance(kind, c.VoidType):
            return "void"
        if isinstance(kind, c.NamedType) and kind.name == "spinlock_t":
            return kind.name
        return None

    def _constants(self) -> list[str]:
        machine = Interpreter(self._program)
        out: list[str] = []
        for name in self._program.enumerators:
            try:
                value = int(machine.enumerator(name, State()))
            except SourceError:
                continue
            out.append(f"enum {{ {name} = {value} }};")
        return out

    def _surroundings(self) -> list[str]:
        present = {t: n for t, n in _TAGS.items() if t in self._program.structs}
        lines = [f"static struct {tag} {name};" for tag, name in present.items()]
        return [*lines, "static uint64_t bp_mask = ~0UL;"]

    def _stubs(self) -> list[str]:
        called = {n for f in self._functions.values() for n in calls_of(f)}
        return [
            stub(name, assumption.treatment)
            for assumption in ASSUMPTIONS
            if assumption.treatment != "stated"
            for name in assumption.names.split()
            if name in called and name not in self._functions
        ]

    def _globals(self) -> list[str]:
        out: list[str] = []
        used = {
            node.name
            for function in self._functions.values()
            for node in walk(function.body)
            if isinstance(node, c.Name) and not node.local
        }
        for name in sorted(used & self._program.globals.keys()):
            declared = self._program.globals[name]
            kind = self._spell(declared.type)
            if kind is None:
                continue
            value = declared.value
            start = f" = {value.word.raw}UL" if isinstance(value, c.Number) else ""
            out.append(f"static {kind} {name}{start};")
        return out

    # Functions.

    def _bodies(self) -> list[str]:
        out: list[str] = []
        texts = {name: self._source(f) for name, f in self._functions.items()}
        out += [text[: text.index("{")].rstrip() + ";" for text in texts.values()]
        out += [self._trap(name) for name in sorted(self._names)]
        for name in self._trapped & texts.keys():
            head = texts[name][: texts[name].index("{")]
            texts[name] = f'{head}{{ bp_trap("{name}()"); }}'
        texts = {name: f"/* in {name} */\n{text}" for name, text in texts.items()}
        first = [self._search.name, _MAP]
        for name in first:
            if name in texts:
                out += [texts.pop(name), self._capture(name)]
        return [*out, *texts.values()]

    def _trap(self, name: str) -> str:
        called = {n for f in self._functions.values() for n in calls_of(f)}
        arguments = "(...)" if name in called else ""
        return f'#define {name}{arguments} bp_trap("{name}")'

    def _source(self, function: c.Function) -> str:
        text = self._program.source(function).replace(PRODUCT, "*")
        text = re.sub(r"\benum\s+\w+", "unsigned int", text)
        return text if function.static else f"static {text}"

    def _capture(self, name: str) -> str:
        """A macro that notes what later calls of ``name`` give."""
        function = self._functions[name]
        names = [f"bp_{own}" for _, own, _ in function.parameters]
        called = f"{name}({', '.join(names)})"
        if name == _MAP:
            effect = f"(bp_bounced = 1, bp_tlb = {called})"
        else:
            effect = f"(bp_need = nr_slots(bp_alloc_size), bp_slot = {called})"
        return f"#define {called} {effect}"

    # main().

    def _main(self, orig_addr: int, size: int, pool: PoolNumbers) -> str:
        body = [*self._settings(pool), *self._pool(pool)]
        page = self._cell.page_size
        values = {
            **dict.fromkeys(("dev", "hwdev"), "&bp_device"),
            **dict.fromkeys(("dir", "direction"), "1"),
            "attrs": "0",
            "flush": "0",
            "phys": f"{orig_addr}UL",
            "page": f"(struct page *){orig_addr & ~(page - 1)}UL",
            "offset": f"{orig_addr & (page - 1)}UL",
            "size": f"{size}UL",
        }
        call = self._call(self._entry, values)
        failed = "NULL" if self._cell.path is Path.ALLOC else "~0UL"
        if self._cell.path is Path.ALLOC:
            body.append("bp_bounced = 1;")
        body += [
            f"int ok = {call} != {failed};",
            'printf("ok=%d\\nbounced=%d\\nslot=%d\\nneed=%lu\\n",'
            " ok, bp_bounced, bp_slot, bp_need);",
            'printf("tlb=%lu\\nprinted=%lld\\n", bp_tlb, bp_printed);',
            "return 0;",
        ]
        lines = "\n".join(f"\t{line}" for line in body)
        return f"int main(void)\n{{\n{lines}\n}}"

    def _call(self, function: c.Function, values: dict[str, str]) -> str:
        names = [own for _, own, _ in function.parameters]
        missing = [name for name in names if name not in values]
        if missing:
            raise SourceError(f"{function.name}(): unknown parameter {missing[0]}")
        return f"{function.name}({', '.join(values[name] for name in names)})"

    def _has(self, tag: str, name: str) -> bool:
        return name in self._program.structs.get(tag, {})

    def _settings(self, pool: PoolNumbers) -> list[str]:
        path = self._cell.path
        wanted = [
            ("device_dma_parameters", "bp_parameters", "min_align_mask",
             f"{self._cell.min_align_mask}U"),
            ("device_dma_parameters", "bp_parameters", "segment_boundary_mask",
             f"{pool.seg_boundary_mask}UL"),
            ("device", "bp_device", "dma_mask", "&bp_mask"),
            ("device", "bp_device", "coherent_dma_mask", "~0UL"),
            ("device", "bp_device", "dma_parms", "&bp_parameters"),
            ("device", "bp_device", "dma_io_tlb_mem", "&bp_mem"),
            ("device", "bp_device", "dma_coherent", "1"),
            ("device", "bp_device", "iommu", "&bp_link"),
            ("pci_dev", "bp_pci", "untrusted", "1"),
            ("iommu_domain", "bp_domain", "iova_cookie", "&bp_cookie"),
            ("iommu_domain", "bp_domain", "cookie_type", "IOMMU_COOKIE_DMA_IOVA"),
            ("iommu_dma_cookie", "bp_cookie", "type", "IOMMU_DMA_IOVA_COOKIE"),
            ("io_tlb_mem", "bp_mem", "force_bounce", str(int(path is Path.DIRECT))),
            ("io_tlb_mem", "bp_mem", "for_alloc", str(int(path is Path.ALLOC))),
        ]  # fmt: skip
        absent = {f"&{n}" for t, n in _TAGS.items() if t not in self._program.structs}
        lines = [
            f"{name}.{field} = {value};"
            for tag, name, field, value in wanted
            if self._has(tag, field) and value not in absent
        ]
        if self._has("iommu_dma_cookie", "iovad"):
            lines.append(f"bp_cookie.iovad.granule = {self._cell.granule}UL;")
        if "swiotlb_force" in self._program.globals and path is Path.DIRECT:
            lines.append("swiotlb_force = SWIOTLB_FORCE;")
        return lines

    def _pool(self, pool: PoolNumbers) -> list[str]:
        inner = "io_tlb_pool" in self._program.structs
        place = "bp_mem.defpool" if inner else "bp_mem"
        values = {
            "start": f"{pool.start}UL",
            "vaddr": f"(void *){pool.start}UL",
            "tlb": f"(char *){pool.start}UL",
            "nslabs": f"{pool.nslabs}UL",
            "late_alloc": "0",
            "nareas": str(pool.nareas),
            "flags": "0",
            "verbose": "0",
            "mem": f"&{place}",
            "pool": f"&{place}",
        }
        call = self._call(self._init, values)
        if self._single:
            return [f"{call};", f"io_tlb_index = {pool.start_index};"]
        forced = "1" if self._cell.path is Path.DIRECT else "0"
        areas, starts = "", f"{place}.index = {pool.start_index};"
        if "io_tlb_area" in self._program.structs:
            areas = f"{place}.areas = calloc({pool.nareas}, sizeof(*{place}.areas));"
            each = f"for (int a = 0; a < {pool.nareas}; a++)"
            starts = f"{each} {place}.areas[a].index = {pool.start_index};"
        return [
            areas,
            f"{place}.slots = calloc({pool.nslabs}, sizeof(*{place}.slots));",
            f"{call};",
            f"bp_mem.nslabs = {pool.nslabs}UL;",
            f"bp_mem.force_bounce = {forced};",
            starts,
        ]
