"""What is measured beside the server: the floor, and with ``--peers`` the peers, if this machine can run them."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.scenarios import Scenario
from bench.target import ROOT, Call, HowToAsk, Target, ask, floor_call, running, server_call

NODE_AT_LEAST = 20
PEERS = ROOT / "bench" / "peers"


@dataclass(frozen=True, slots=True)
class Program:
    """A server as it is started, and how it is asked; ``counts`` says that it tells its statements at /statements."""

    name: str
    command: tuple[str, ...]
    ready: str = "/ready"
    call: HowToAsk = server_call
    counts: bool = True
    env: Mapping[str, str] = field(default_factory=dict)


def _node(name: str, title: str, driver: str) -> Program:
    return Program(title, ("node", str(PEERS / f"{name}.mjs")), env={"NODE_ENV": "production", "DRIVER": driver})


SERVER = Program("server", (sys.executable, "server.py"), "/api/health?ready", counts=False)
FLOOR = Program("floor", (sys.executable, "-m", "bench.floor"), call=floor_call, counts=False)
STRAWBERRY = Program("strawberry", (sys.executable, "-m", "bench.peers.plain"))
NODE = (
    _node("mercurius", "mercurius", "postgres"),
    _node("mercurius", "mercurius, pg", "pg"),
    _node("apollo", "apollo", "postgres"),
)


def chosen(peers: bool, say: Callable[[str], None]) -> list[Program]:
    """The server first, then what it is held against; ``say`` is told what cannot be run here, and why."""
    if not peers:
        return [SERVER, FLOOR]
    missing = _lacking()
    if missing:
        say(f"NOT MEASURED: Mercurius and Apollo Server: {missing}")
    return [SERVER, FLOOR, STRAWBERRY, *([] if missing else NODE)]


@contextmanager
def started(programs: Sequence[Program], env: Mapping[str, str], core: int, folder: Path) -> Iterator[list[Target]]:
    """All of them for the time of the block, each with a log in ``folder``. Raises TargetError if one does not start."""
    with ExitStack() as stack:
        targets = []
        for each in programs:
            log = folder / f"{each.name.replace(', ', '-')}.log"
            how = running(each.name, each.command, each.ready, each.call, {**env, **each.env}, core, log)
            targets.append(stack.enter_context(how))
        yield targets


def counted(
    programs: Sequence[Program], targets: Sequence[Target], scenarios: Sequence[Scenario], keys: Mapping[str, Sequence[str]]
) -> dict[tuple[str, str], int]:
    """Statements of one request, by program and scenario, of the floor and of those that count them themselves."""
    found = {}
    for program, target in zip(programs, targets, strict=True):
        for scenario in scenarios:
            if program is FLOOR:
                found[program.name, scenario.name] = 1
            elif program.counts:
                before = _statements(target)
                target.answer(scenario, keys[scenario.name][0])
                found[program.name, scenario.name] = _statements(target) - before
    return found


def _statements(target: Target) -> int:
    return int(json.loads(ask(target.port, Call("GET", "/statements"))[1])["statements"])


def _lacking() -> str | None:
    node = shutil.which("node")
    if node is None:
        return f"Node {NODE_AT_LEAST} or newer is not installed"
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if int(said.removeprefix("v").split(".")[0] or 0) < NODE_AT_LEAST:
        return f"they need Node {NODE_AT_LEAST} or newer, and this is {said or 'none that runs'}"
    lock, installed = PEERS / "package-lock.json", PEERS / "node_modules" / ".installed"
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        return "their packages are not installed: make bench-peers"
    return None
