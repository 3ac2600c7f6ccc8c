# SPDX-License-Identifier: GPL-2.0-only
"""Search loops that end in other words: flags, breaks, helpers, pointers to the index.

Each takes the place of :data:`tests.source.shapes.COUNTED`; ``ENDS`` has the fields of
the rule that differ from a count of whole steps, and a fault (old, new text) that
takes the rule away.
"""

from __future__ import annotations

from typing import Any

from bounceproof.models.request import Counting, Wrap
from tests.source.loops import BREAKS, REFUSED, ROOM, SETUP

CIRCLE: dict[str, Any] = {"counted": False}
TURNS: dict[str, Any] = {"counted": False, "stride": 1}
PLACE = "\t\tphys_addr_t addr;\n\n\t\tslot = first + index;\n"
ONE = "\t\tn = 1;\n" + REFUSED + "\t\t\tgoto next;\n"
FIT = ROOM + "\t\t\t{\n\t\t\tn = 0;\n\t\t\tgoto found;\n\t\t}\n"
STEP = PLACE + ONE + FIT + "\t\tn = stride;\nnext:\n"
MOVE = "\t\tindex = wrapped(mem, index + n);\n"
BOTTOM = (
    SETUP
    + "\tindex = area->index;\n\twhile (1) {\n"
    + STEP
    + MOVE
    + "\t\tif (index == area->index)\n\t\t\tbreak;\n\t}\n"
)
MORE = (
    SETUP
    + "\tbool more = true;\n\n\tindex = area->index;\n\twhile (more) {\n"
    + STEP
    + MOVE
    + "\t\tmore = index != area->index;\n\t}\n"
)
STOP = (
    SETUP
    + "\tbool stop = false;\n\n\tindex = area->index;\n\twhile (!stop) {\n"
    + STEP
    + MOVE
    + "\t\tif (index == area->index)\n\t\t\tstop = true;\n\t}\n"
)
FIRST = (
    SETUP
    + "\tbool fresh = true;\n\n\tindex = area->index;\n"
    + "\twhile (fresh || index != area->index) {\n"
    + STEP
    + MOVE
    + "\t\tfresh = false;\n\t}\n"
)
COUNT_FLAG = (
    SETUP
    + "\tbool more = true;\n\n\tindex = area->index;\n\tdone = 0;\n\twhile (more) {\n"
    + STEP
    + MOVE
    + "\t\tdone += n;\n\t\tif (done >= mem->area_nslabs)\n\t\t\tmore = false;\n\t}\n"
)
FOUND_FLAG = (
    SETUP
    + "\tbool hit = false;\n\n\tindex = area->index;\n"
    + "\tfor (done = 0; done < mem->area_nslabs; ) {\n"
    + PLACE
    + REFUSED
    + "\t\t{\n\t\t\tindex = wrapped(mem, index + 1);\n\t\t\tdone++;\n"
    + "\t\t\tcontinue;\n\t\t}\n"
    + ROOM
    + "\t\t{\n\t\t\thit = true;\n\t\t\tbreak;\n\t\t}\n"
    + "\t\tindex = wrapped(mem, index + stride);\n\t\tdone += stride;\n\t}\n"
    + "\tif (hit)\n\t\tgoto found;\n"
)
FOUND_WHILE = FOUND_FLAG.replace(
    "done < mem->area_nslabs; ) {", "!hit && done < mem->area_nslabs; ) {"
).replace("hit = true;\n\t\t\tbreak;", "hit = true;\n\t\t\tcontinue;")
SENTINEL = (
    SETUP
    + "\tint taken = -1;\n\n\tindex = area->index;\n\tdone = 0;\n\tdo {\n"
    + PLACE
    + "\t\tn = 1;\n"
    + REFUSED.replace("if ((addr &", "if (!((addr &").replace(
        "iotlb_align_mask)))", "iotlb_align_mask))))"
    )
    + "\t\t{\n\t\t\tn = stride;\n"
    + ROOM
    + "\t\t\t\ttaken = slot;\n\t\t}\n"
    + "\t\tif (taken >= 0)\n\t\t\tbreak;\n"
    + MOVE
    + "\t\tdone += n;\n\t} while (done < mem->area_nslabs);\n\tn = 0;\n"
    + "\tif (taken < 0)\n\t\tgoto none;\n\tslot = taken;\n\tgoto found;\n"
)
BESIDE = (
    SETUP
    + "\tindex = area->index;\n\tslot = first + index;\n\tdone = 0;\n"
    + "\twhile (done < mem->area_nslabs) {\n\t\tphys_addr_t addr;\n"
    + ONE
    + FIT
    + "\t\tn = stride;\nnext:\n"
    + MOVE
    + "\t\tslot = first + index;\n\t\tdone += n;\n\t}\n\tn = 0;\n"
)
COMMA = (
    SETUP
    + "\tfor (done = 0, index = area->index; done < mem->area_nslabs;\n"
    + "\t     done += n, index = wrapped(mem, index + n)) {\n"
    + STEP
    + "\t\t;\n\t}\n\tn = 0;\n"
)
SIGNED_LEFT = (
    SETUP
    + "\tint left = mem->area_nslabs;\n\n\tindex = area->index;\n\tdo {\n"
    + STEP
    + MOVE
    + "\t\tleft -= n;\n\t} while (left > 0);\n\tn = 0;\n"
)
ONE_BY_ONE = (
    SETUP
    + "\tindex = area->index;\n\tfor (wrap = mem->area_nslabs; wrap--; ) {\n"
    + PLACE
    + REFUSED
    + "\t\t\tgoto next;\n"
    + ROOM
    + "\t\t\tgoto found;\nnext:\n\t\tindex = wrapped(mem, index + 1);\n\t}\n"
)
COUNTED_DOWN = ONE_BY_ONE.replace(
    "for (wrap = mem->area_nslabs; wrap--; ) {", "wrap = mem->area_nslabs;\n\tdo {"
).replace(
    "\t\tindex = wrapped(mem, index + 1);\n\t}\n",
    "\t\tindex = wrapped(mem, index + 1);\n\t} while (--wrap);\n",
)
UNSIGNED_UP = ONE_BY_ONE.replace(
    "wrap = mem->area_nslabs; wrap--; ", "wrap = -mem->area_nslabs; wrap; wrap++"
)
UNWRAPPED_END = (
    SETUP
    + "\tfor (done = area->index; done < area->index + mem->area_nslabs; done += n) {\n"
    + "\t\tphys_addr_t addr;\n\n"
    + "\t\tindex = done < mem->area_nslabs ? done : done - mem->area_nslabs;\n"
    + "\t\tslot = first + index;\n"
    + ONE
    + FIT
    + "\t\tn = stride;\nnext:\n\t\t;\n\t}\n\tn = 0;\n"
)
BYTES = (
    SETUP
    + "\tunsigned long offset = (unsigned long)area->index << IO_TLB_SHIFT;\n"
    + "\tunsigned long limit = (unsigned long)mem->area_nslabs << IO_TLB_SHIFT;\n\n"
    + "\tdone = 0;\n\tdo {\n\t\tphys_addr_t addr;\n\n"
    + "\t\tindex = offset >> IO_TLB_SHIFT;\n\t\tslot = first + index;\n"
    + ONE
    + FIT
    + "\t\tn = stride;\nnext:\n\t\tdone += n;\n"
    + "\t\toffset += (unsigned long)n << IO_TLB_SHIFT;\n"
    + "\t\tif (offset >= limit)\n\t\t\toffset = 0;\n"
    + "\t} while (done < mem->area_nslabs);\n\tn = 0;\n"
)
PASSED = (
    SETUP
    + "\tbool again = false;\n\n\tindex = area->index;\n"
    + "\twhile (!again || index < area->index) {\n"
    + STEP
    + "\t\tindex += n;\n"
    + "\t\tif (index >= mem->area_nslabs) {\n\t\t\tif (again)\n\t\t\t\tbreak;\n"
    + "\t\t\tagain = true;\n\t\t\tindex = 0;\n\t\t}\n\t}\n\tn = 0;\n"
)
FIRST_TIME = (
    SETUP
    + "\tindex = wrap = area->index;\n\tfor (;;) {\n"
    + STEP
    + "\t\tindex += n;\n"
    + "\t\tif (index >= mem->area_nslabs)\n\t\t\tindex = 0;\n"
    + "\t\tif (index == wrap)\n\t\t\tgoto none;\n\t}\n"
)
TRIES = (
    SETUP
    + "\tunsigned int tries = 0;\n\n\tindex = area->index;\n\tfor (;;) {\n"
    + "\t\tif (tries++ >= mem->area_nslabs)\n\t\t\tbreak;\n"
    + STEP
    + MOVE
    + "\t}\n\tn = 0;\n"
)
WIDE = (
    SETUP
    + "\tunsigned long at = area->index, count = 0, all = mem->area_nslabs;\n\n"
    + "\twhile (count < all) {\n\t\tphys_addr_t addr;\n\n"
    + "\t\tindex = at;\n\t\tslot = first + at;\n"
    + ONE
    + FIT
    + "\t\tn = stride;\nnext:\n\t\tcount += n;\n\t\tat += n;\n"
    + "\t\tif (at >= all)\n\t\t\tat = 0;\n\t}\n\tn = 0;\n"
)
IF_ELSE = (
    SETUP
    + "\tindex = area->index;\n\tfor (done = 0; done < mem->area_nslabs; ) {\n"
    + PLACE
    + "\t\tunsigned int step;\n\n"
    + REFUSED
    + "\t\t{\n\t\t\tstep = 1;\n\t\t} else {\n\t\t\tstep = 1 + (stride - 1);\n"
    + ROOM
    + "\t\t\t\tbreak;\n\t\t}\n"
    + "\t\tindex = wrapped(mem, index + step);\n\t\tdone += step;\n\t}\n"
    + "\tif (done < mem->area_nslabs)\n\t\tgoto found;\n"
)
IN_LOOP = (
    SETUP.replace("\tstride = (max", "\tn = (max").replace(
        "\tspin_lock", "\tn = 0;\n\tspin_lock"
    )
    + "\tindex = area->index;\n\tfor (done = 0; done < mem->area_nslabs; ) {\n"
    + PLACE
    + "\t\tstride = 1;\n"
    + REFUSED.replace("if ((addr &", "if (!((addr &").replace(
        "iotlb_align_mask)))", "iotlb_align_mask))))"
    )
    + "\t\t{\n"
    + ROOM
    + "\t\t\t\tgoto found;\n"
    + "\t\t\tstride += max(alloc_align_mask, iotlb_align_mask) >> IO_TLB_SHIFT;\n"
    + "\t\t}\n\t\tdone += stride;\n\t\tindex = wrapped(mem, index + stride);\n\t}\n"
)
CLEAR = (
    SETUP
    + "\tunsigned int last;\n\n\tindex = area->index;\n\tdone = 0;\n\tdo {\n"
    + PLACE
    + "\t\tbool room = true;\n\n\t\tlast = index;\n\t\tn = 1;\n"
    + REFUSED
    + "\t\t\troom = false;\n\t\tif (room) {\n\t\t\tn = stride;\n"
    + ROOM
    + "\t\t\t{\n\t\t\t\tn = 0;\n\t\t\t\tgoto found;\n\t\t\t}\n\t\t}\n"
    + "\t\tindex = wrapped(mem, last + n);\n\t\tdone += n;\n"
    + "\t} while (done < mem->area_nslabs);\n\tn = 0;\n"
)
ADDRESS = (
    SETUP
    + "\tphys_addr_t begin = base + ((phys_addr_t)first << IO_TLB_SHIFT), addr;\n\n"
    + "\tindex = area->index;\n\taddr = begin + ((phys_addr_t)index << IO_TLB_SHIFT);\n"
    + "\tfor (done = 0; done < mem->area_nslabs; done += n) {\n\t\tn = 1;\n"
    + "\t\tslot = first + index;\n"
    + ONE.replace("\t\tn = 1;\n", "").replace(
        "\t\taddr = base + ((phys_addr_t)slot << IO_TLB_SHIFT);\n", ""
    )
    + FIT
    + "\t\tn = stride;\nnext:\n\t\tindex += n;\n"
    + "\t\taddr += (phys_addr_t)n << IO_TLB_SHIFT;\n"
    + "\t\tif (index >= mem->area_nslabs) {\n\t\t\tindex = 0;\n"
    + "\t\t\taddr = begin;\n\t\t}\n\t}\n\tn = 0;\n"
)
ENDS: dict[str, tuple[str, dict[str, Any], tuple[str, str]]] = {
    "breaks": (
        BREAKS,
        TURNS,
        ("done = 1;", "done = index != 300;"),
    ),
    "bottom": (
        BOTTOM,
        CIRCLE,
        ("if (index == area->index)", "if (index == area->index || index == 517)"),
    ),
    "more": (
        MORE,
        CIRCLE,
        (
            "more = index != area->index;",
            "more = index != area->index && index != 517;",
        ),
    ),
    "stop": (
        STOP,
        CIRCLE,
        ("bool stop = false;", "bool stop = alloc_size == 40960;"),
    ),
    "first": (
        FIRST,
        CIRCLE,
        ("fresh = false;", "fresh = need == 9;"),
    ),
    "count flag": (
        COUNT_FLAG,
        {},
        ("done >= mem->area_nslabs)", "done >= mem->area_nslabs - (need == 4))"),
    ),
    "found flag": (
        FOUND_FLAG,
        {},
        ("bool hit = false;", "bool hit = need == 77;"),
    ),
    "found while": (
        FOUND_WHILE,
        {},
        ("!hit &&", "!(hit && need != 3) &&"),
    ),
    "sentinel": (
        SENTINEL,
        {},
        ("taken = slot;", "taken = slot + (need == 9);"),
    ),
    "beside": (
        BESIDE,
        {},
        (
            "\t\tslot = first + index;\n\t\tdone",
            "\t\tslot = first + (index == 517 ? 0 : index);\n\t\tdone",
        ),
    ),
    "comma": (
        COMMA,
        {},
        ("done += n, index", "done += n + (index > 3000), index"),
    ),
    "signed left": (
        SIGNED_LEFT,
        {},
        ("left > 0", "left > 1"),
    ),
    "one by one": (
        ONE_BY_ONE,
        {"stride": 1},
        ("wrap--;", "--wrap;"),
    ),
    "counted down": (
        COUNTED_DOWN,
        {"stride": 1},
        ("--wrap);", "--wrap > 1);"),
    ),
    "unsigned up": (
        UNSIGNED_UP,
        {"stride": 1},
        ("wrap++", "wrap += 1 + (wrap == 0xfffffff0)"),
    ),
    "unwrapped end": (
        UNWRAPPED_END,
        {"wrap": Wrap.MODULO},
        ("done - mem->area_nslabs", "done - mem->area_nslabs + (need == 5)"),
    ),
    "bytes": (
        BYTES,
        {},
        ("offset >= limit", "offset > limit"),
    ),
    "passed": (
        PASSED,
        {"counting": Counting.TO_END},
        ("again = true;", "again = alloc_size != 40960;"),
    ),
    "first time": (
        FIRST_TIME,
        CIRCLE,
        ("index == wrap)", "index == wrap || index == wrap + 64)"),
    ),
    "tries": (
        TRIES,
        {"counting": Counting.TURNS},
        ("tries++ >=", "tries++ > 5000 || tries >="),
    ),
    "wide": (
        WIDE,
        {},
        ("at += n;", "at += n + ((unsigned long)(need == 3) << 32);"),
    ),
    "if else": (
        IF_ELSE,
        {},
        (
            "(done < mem->area_nslabs)\n\t\tgoto",
            "(done < mem->area_nslabs - 1)\n\t\tgoto",
        ),
    ),
    "in loop": (
        IN_LOOP,
        {},
        ("stride = 1;", "stride = 1 + (index == 900);"),
    ),
    "clear": (
        CLEAR,
        {},
        ("room = false;", "room = addr == 0x12345000;"),
    ),
    "address": (
        ADDRESS,
        {},
        (
            "addr = begin;\n\t\t}",
            "addr = begin + (need == 7 ? IO_TLB_SIZE : 0);\n\t\t}",
        ),
    ),
}
