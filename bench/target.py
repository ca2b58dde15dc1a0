"""A program that is measured: started on a core of its own, asked, watched, stopped."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from bench.scenarios import Scenario
from core.process import child_setup

ROOT = Path(__file__).parent.parent
START_S = 30.0


class TargetError(Exception):
    """A program that is to be measured did not start, or answers wrongly; the message says which and how."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, without its host; a body is JSON."""

    method: str
    path: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers that are sent."""
        return dict(self.headers) | ({"Content-Type": "application/json"} if self.body else {})


HowToAsk = Callable[[Scenario, str], Call]


@dataclass(frozen=True, slots=True)
class Target:
    """A running program: where it listens, its process, and how it is asked a scenario."""

    name: str
    port: int
    process: psutil.Process
    call: HowToAsk

    def answer(self, scenario: Scenario, key: str) -> Any:
        """The JSON it answers. Raises TargetError for anything but 200 without errors."""
        status, body = ask(self.port, self.call(scenario, key))
        found = json.loads(body) if status == 200 else None
        if found is None or found.get("errors"):
            raise TargetError(f"the {self.name} answers {scenario.name} of {key} with {status}: {body[:500].decode()}")
        return found

    def cpu_seconds(self) -> float:
        """Processor time used so far, children included."""
        times = [each.cpu_times() for each in (self.process, *self.process.children(recursive=True))]
        return float(sum(each.user + each.system for each in times))

    def forget_peak(self) -> None:
        """Starts the peak of ``peak_bytes`` anew (proc(5), clear_refs); without /proc it stays that of the whole life."""
        for each in (self.process, *self.process.children(recursive=True)):
            try:
                Path(f"/proc/{each.pid}/clear_refs").write_text("5", "ascii")
            except OSError:
                return

    def peak_bytes(self) -> int:
        """The most memory resident since ``forget_peak``, children included; without /proc what is resident now."""
        return sum(map(_peak_bytes, (self.process, *self.process.children(recursive=True))))


def server_call(scenario: Scenario, key: str) -> Call:
    """How the server is asked: the document and its variables, as a client that keeps nothing sends them."""
    return Call("POST", "/graphql", json.dumps(scenario.body(key)).encode())


def floor_call(scenario: Scenario, key: str) -> Call:
    """How the floor is asked: the key is all it needs."""
    return Call("GET", f"/{scenario.name}/{key}")


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    ready: str,
    call: HowToAsk,
    env: Mapping[str, str],
    core: int,
    log: Path,
) -> Iterator[Target]:
    """The program for the time of the block, pinned to ``core``, on a free port. Raises TargetError if it does not start."""
    port = _free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            cwd=ROOT,
            env={**os.environ, **env, "PORT": str(port)},
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=child_setup(signal.SIGTERM),  # noqa: PLW1509 - no threads are running yet
        )
    try:
        _wait_until_ready(name, process, port, ready, log)
        yield Target(name, port, psutil.Process(process.pid), call)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(port: int, call: Call) -> tuple[int, bytes]:
    """Status and body of one request. Raises OSError if nobody listens."""
    url = f"http://127.0.0.1:{port}{call.path}"
    request = urllib.request.Request(url, call.body, call.all_headers, method=call.method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def _wait_until_ready(name: str, process: "subprocess.Popen[bytes]", port: int, ready: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if ask(port, Call("GET", ready))[0] < 300:
                return
        except OSError:
            pass
        time.sleep(0.05)
    tail = "\n".join(log.read_text("utf-8", "replace").splitlines()[-15:])
    raise TargetError(f"the {name} did not start; the end of {log}:\n{tail}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _peak_bytes(process: psutil.Process) -> int:
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text("ascii", "replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return int(process.memory_info().rss)
