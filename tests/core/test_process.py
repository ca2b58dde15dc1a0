"""A child process never outlives us, and root's PostgreSQL is not root. Linux keeps both promises."""

import os
import pwd
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from core.process import LONGEST_SOCKET_FOLDER, child_setup, leave_root, socket_folder

PARENT = """
import signal, subprocess, sys, time
from core.process import child_setup
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell starts what runs in the background with it ignored
child = subprocess.Popen(["sleep", "600"], start_new_session=True, preexec_fn=child_setup(int(sys.argv[1])))
print(child.pid, flush=True)
time.sleep(600)
"""


def _gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_ends_when_its_parent_does_however_that_ends(how: signal.Signals, end: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(int(how))], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not _gone(child)
        parent.send_signal(end)
    deadline = time.monotonic() + 10
    while not _gone(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _gone(child)


def test_what_leaves_root_is_a_user_the_system_knows_and_writes_our_files_as_ours(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    command = ["sh", "-c", f"id -un; touch {tmp_path}/made"]
    try:
        ran = subprocess.check_output(command, preexec_fn=child_setup(signal.SIGKILL, leave_root(nobody)), text=True)
    except (OSError, subprocess.SubprocessError):
        return  # no user namespaces here; db/embedded.py then serves as nobody
    assert ran == "nobody\n"
    assert (tmp_path / "made").stat().st_uid == os.getuid()


def test_a_server_has_its_socket_in_its_own_folder_unless_the_path_would_be_too_long() -> None:
    short, long = Path("/srv/data"), Path("/srv") / ("x" * LONGEST_SOCKET_FOLDER)
    assert socket_folder(short) == short
    assert len(os.fsencode(socket_folder(long))) <= LONGEST_SOCKET_FOLDER
    assert socket_folder(long) == socket_folder(long)
    assert socket_folder(long) != socket_folder(long / "other")


def test_the_length_of_a_path_is_counted_in_bytes() -> None:
    assert socket_folder(Path("/" + "ä" * 60)) != Path("/" + "ä" * 60)
