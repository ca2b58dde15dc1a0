"""A real browser for tests: Debian's Chromium without a window, driven through a pipe in the DevTools protocol.

``--remote-debugging-pipe`` reads messages from file descriptor 3 and answers on 4, each ended by a zero byte, so that
neither a WebSocket library nor a port is needed.
"""

import asyncio
import fcntl
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1440,900",
    "--remote-debugging-pipe",
)  # fmt: skip

# subprocess cannot say which number a descriptor gets in the child, so a small program says it and becomes Chromium.
ON_3_AND_4 = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"

WATCH_CSP = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (e) => violations.push(`${e.violatedDirective}: ${e.blockedURI}`));
"""


class Browser:
    """The protocol, for one who asks at a time: each call waits for its answer, and events are given to ``heard``."""

    def __init__(self, to_browser: int, from_browser: asyncio.StreamReader) -> None:
        self.heard: Callable[[str, dict[str, Any]], None] = lambda event, params: None
        self._to_browser = to_browser
        self._from_browser = from_browser
        self._sent = 0

    async def call(self, method: str, session: str | None = None, **params: Any) -> Any:
        """What the method answers. Raises RuntimeError where it refuses."""
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._to_browser, json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads((await asyncio.wait_for(self._from_browser.readuntil(b"\0"), 30))[:-1])
            if answer.get("id") == self._sent:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            if "method" in answer:
                self.heard(answer["method"], answer["params"])

    @asynccontextmanager
    async def new_page(self) -> AsyncIterator["Page"]:
        """A tab that shares no storage with any other."""
        context = (await self.call("Target.createBrowserContext"))["browserContextId"]
        target = await self.call("Target.createTarget", url="about:blank", browserContextId=context)
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = Page(self, attached["sessionId"])
        self.heard = page.hear
        for domain in ("Page", "Runtime", "Log"):
            await page.call(f"{domain}.enable")
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH_CSP)
        yield page
        await self.call("Target.disposeBrowserContext", browserContextId=context)


class Page:
    """A tab. ``complaints`` are the errors that its console showed, exceptions and refused requests included."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.complaints: list[str] = []
        self._browser = browser
        self._session = session

    def hear(self, event: str, params: dict[str, Any]) -> None:
        """Take note of an event that is a complaint."""
        if event == "Runtime.consoleAPICalled" and params["type"] in {"error", "assert"}:
            self.complaints.append(" ".join(str(each.get("value", each.get("description"))) for each in params["args"]))
        elif event == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(str(details.get("exception", {}).get("description", details["text"])))
        elif event == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    async def call(self, method: str, **params: Any) -> Any:
        """What the method of the protocol answers for this tab."""
        return await self._browser.call(method, self._session, **params)

    async def open(self, url: str) -> None:
        """Load the URL, anew if it is loaded."""
        await self.call("Page.navigate", url=url)

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited if it is a promise."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def until(self, expression: str) -> Any:
        """The first true value of the expression. Raises TimeoutError after 20 seconds without one."""
        async with asyncio.timeout(20):
            while True:
                if value := await self.evaluate(expression):
                    return value
                await asyncio.sleep(0.05)

    async def press(self, key: str, *, code: int, modifiers: int = 0) -> None:
        """Press a key as a person does. Modifiers: 1 Alt, 2 Ctrl, 4 Meta, 8 Shift."""
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        await self.call("Input.dispatchKeyEvent", type="rawKeyDown", **pressed)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **pressed)


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Browser]:
    """A browser whose profile is in the empty folder given."""
    from_us, to_browser = _pipe()
    from_browser, to_us = _pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ON_3_AND_4, str(from_us), str(to_us), CHROMIUM or "chromium", *FLAGS,
        f"--user-data-dir={profile}",
        pass_fds=(from_us, to_us), stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.close(from_us)
    os.close(to_us)
    reader = asyncio.StreamReader(limit=64 * 2**20)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(from_browser, "rb", buffering=0)
    )
    try:
        yield Browser(to_browser, reader)
    finally:
        os.close(to_browser)  # Chromium ends when its pipe does
        transport.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


def _pipe() -> tuple[int, int]:
    """Two ends whose numbers are not 3 or 4, which the child is about to overwrite."""
    ends = os.pipe()
    read, write = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return read, write
