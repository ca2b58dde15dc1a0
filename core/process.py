"""Child processes of ours: what one needs so that it cannot outlive us, and so that PostgreSQL can be run by root.

Linux does both by itself: a process may ask for a signal when its parent dies, however it dies (prctl(2),
PR_SET_PDEATHSIG), and may live in a user namespace of its own (user_namespaces(7)). Elsewhere nothing of that is done, and a
server left behind by ``kill -9`` is found by its pid file at the next start.
"""

import ctypes
import errno
import hashlib
import os
import pwd
import resource
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

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


class ChildServer:
    """A server that is a child process of ours: kinds of it start it, and it is told to end by a signal."""

    def __init__(self, how: signal.Signals) -> None:
        self._how = how
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The server's process, or None when it is not ours or not running."""
        return self._process.pid if self._process else None

    @property
    def has_ended(self) -> bool:
        """Whether it was started, and has ended without being stopped."""
        return self._process is not None and self._process.poll() is not None

    def _spawn(self, command: Sequence[str], log: IO[bytes], become: Callable[[], None] | None = None) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own binary and arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Its own session: Ctrl-C in the terminal reaches us alone, and we stop it in order.
            start_new_session=True,
            preexec_fn=child_setup(self._how, become),  # noqa: PLW1509 - it takes no lock
        )

    def _end(self, within_s: float) -> None:
        """Tells the process to end, and kills it where it has not by then."""
        if self._process is None:
            return
        self._process.send_signal(self._how)
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def socket_folder(folder: Path) -> Path:
    """Where a server of ``folder`` puts its Unix socket: there, or where the path would be too long, in a short one."""
    if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"dealgraph-{os.geteuid()}-{digest}"


def make_socket_folder(folder: Path) -> None:
    """Makes it for us alone. Raises OSError for a short one that is another user's, who could answer in our name."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.parent != Path(tempfile.gettempdir()):
        return
    found, users = folder.lstat(), {os.geteuid()}
    if os.geteuid() == 0:
        users.add(pwd.getpwnam("nobody").pw_uid)  # who may serve for root
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o022 or found.st_uid not in users:
        raise PermissionError(errno.EPERM, "another user may write there; remove it", str(folder))


def remove_socket_folder(folder: Path, kept: Path) -> None:
    """Removes the short one, where there is one."""
    if folder != kept:
        with suppress(OSError):
            folder.rmdir()


def open_many_files() -> None:
    """Lets this process and its children have as many open files as the system allows: a connection is one."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):  # macOS says "any number" and means fewer
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
