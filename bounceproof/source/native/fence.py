# SPDX-License-Identifier: GPL-2.0-only
"""What a child process that runs a stranger's code may not do.

Limits on time, memory and files come from setrlimit(); the network is taken away twice:
by a network namespace of its own, and by a filter that refuses the system calls that
make a socket.  Where neither can be had, :func:`takes_network_away` says so.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import socket
import struct
from functools import cache

CPU_SECONDS = 2
MEMORY = 1 << 30
_NEW_NETWORK = 0x40000000 | 0x10000000
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2
_LOAD, _EQUAL, _ABOVE, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001
_X32 = 0x40000000
_CALLS = {
    "x86_64": (0xC000003E, (41, 53, 425, 426, 427)),
    "aarch64": (0xC00000B7, (198, 199, 425, 426, 427)),
}
"""Architecture, and its numbers of socket, socketpair and the three of io_uring."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _filter() -> bytes | None:
    """A seccomp filter in BPF; None on an architecture it is not written for."""
    known = _CALLS.get(platform.machine())
    if known is None:
        return None
    architecture, calls = known
    refuse = len(calls) + 3
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 0, refuse, architecture), (_LOAD, 0, 0, 0)]
    steps.append((_ABOVE, refuse - 2, 0, _X32))
    steps += [(_EQUAL, refuse - 3 - n, 0, call) for n, call in enumerate(calls)]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def put_up(seconds: int = CPU_SECONDS) -> None:
    """Fence this process in; what the system refuses is left out.

    ``seconds`` of CPU time is all it gets.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library = ctypes.CDLL(None)
    library.unshare(_NEW_NETWORK)
    code = _filter()
    if code is not None:
        held = ctypes.create_string_buffer(code, len(code))
        program = _Program(len(code) // 8, ctypes.addressof(held))
        library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        library.prctl(_SECCOMP, _FILTER, ctypes.byref(program), 0, 0)


@cache
def takes_network_away() -> bool:
    """Whether a child behind the fence can open no connection, tried once."""
    child = os.fork()
    if child == 0:
        try:
            put_up()
            names = {name for _, name in socket.if_nameindex()}
            os._exit(0 if names <= {"lo"} else 1)
        except PermissionError:
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
