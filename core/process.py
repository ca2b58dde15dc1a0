"""What a child process needs so that it cannot outlive us, and so that PostgreSQL can be run by root.

Linux does both by itself: a process may ask for a signal when its parent dies, however it dies (prctl(2),
PR_SET_PDEATHSIG), and may live in a user namespace of its own (user_namespaces(7)). Elsewhere these do nothing, and a
server left behind by ``kill -9`` is found by its pid file at the next start.
"""

import ctypes
import hashlib
import os
import pwd
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
# sun_path holds 108 bytes with the closing NUL; PostgreSQL adds "/.s.PGSQL.5432.lock" to the folder.
LONGEST_SOCKET_FOLDER = 85


@cache
def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(how: signal.Signals) -> None:
    """Asks the kernel to send this process ``how`` when the thread that started it is gone. Call it in the child."""
    libc = _libc()
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, int(how), 0, 0, 0)


def leave_root(inside: pwd.struct_passwd) -> Callable[[], None]:
    """What gives a process another number for the same user: outside it is still root, inside it is ``inside``.

    PostgreSQL refuses to run as user 0 or as one that the system does not know, and no more than that; with this it
    reads and writes our files as ours, wherever they are, and no folder needs to be opened to another user. The result
    raises OSError where it is not allowed.
    """
    uid, gid = os.getuid(), os.getgid()
    maps = (("setgroups", "deny"), ("uid_map", f"{inside.pw_uid} {uid} 1"), ("gid_map", f"{inside.pw_gid} {gid} 1"))

    def leave() -> None:
        libc = _libc()
        if libc is None or libc.unshare(CLONE_NEWUSER) != 0:
            raise OSError(ctypes.get_errno(), "a user namespace of its own is not allowed here")
        for name, text in maps:
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)

    return leave


def child_setup(how: signal.Signals, before: Callable[[], None] | None = None) -> Callable[[], None]:
    """What to pass as ``preexec_fn``: runs ``before``, then ties the child's life to ours.

    In that order, because the kernel forgets the wish when a process changes who it is. The libc is loaded here, in
    the parent: nothing may be imported between fork and exec.
    """
    _libc()

    def setup() -> None:
        if before is not None:
            before()
        die_with_parent(how)

    return setup


def socket_folder(folder: Path) -> Path:
    """Where a server of ``folder`` puts its Unix socket: there, or where the path would be too long, in a short one."""
    if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"dealgraph-{os.geteuid()}-{digest}"


def open_many_files() -> None:
    """Lets this process and its children have as many open files as the system allows: a connection is one."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):  # macOS says "any number" and means fewer
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
