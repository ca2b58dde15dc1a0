"""Load from wrk: a script that asks with every key in turn, and the figures of one run."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.target import Call

MARK = "BENCH "
# Calls are formatted once, before the clock runs; a request is then one look into a table.
SCRIPT = """
local calls, next = {}, 0
function init(args)
%(calls)s
end
function request()
    next = next %% #calls + 1
    return calls[next]
end
function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format('\\n%(mark)s{"requests": %%d, "seconds": %%f, "p50": %%f, "p95": %%f, "p99": %%f, "failed": %%d}\\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
        latency:percentile(99) / 1e3, e.connect + e.read + e.write + e.status + e.timeout))
end
"""


class WrkError(Exception):
    """wrk is not there, or did not do what it was asked; the message says which."""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw in one run; times in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p95: float
    p99: float
    failed: int


def check_wrk() -> None:
    """Raises WrkError if wrk is not installed."""
    if shutil.which("wrk") is None:
        raise WrkError("the benchmark needs wrk, which is not installed: apt-get install wrk")


def run_wrk(port: int, calls: Sequence[Call], *, connections: int, seconds: float) -> Load:
    """Puts load on the port for that long, from one thread. Raises WrkError; failed calls are counted, not raised."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "calls.lua")
        script.write_text(SCRIPT % {"mark": MARK, "calls": "\n".join(map(_formatted, calls))}, "utf-8")
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-s", str(script)]
        ran = subprocess.run([*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=False)
    found = [line for line in ran.stdout.splitlines() if line.startswith(MARK)]
    if ran.returncode != 0 or not found:
        raise WrkError(f"wrk failed: {(ran.stderr or ran.stdout).strip()}")
    return Load(**json.loads(found[0].removeprefix(MARK)))


def _formatted(call: Call) -> str:
    headers = "{" + ", ".join(f"[{_lua(name)}] = {_lua(value)}" for name, value in call.all_headers.items()) + "}"
    body = _lua(call.body.decode()) if call.body else "nil"
    return f"    calls[#calls + 1] = wrk.format({_lua(call.method)}, {_lua(call.path)}, {headers}, {body})"


def _lua(text: str) -> str:
    """A Lua string; JSON's escapes of ASCII text are Lua's, but for \\u, which our texts do not have."""
    return json.dumps(text, ensure_ascii=False)
