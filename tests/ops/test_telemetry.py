"""The log: for people on a terminal, and nothing in it that is a secret or that a client could draw with."""

import io
import sys
from collections.abc import Iterator

import pytest
import structlog

from ops.telemetry import configure_logging


class Terminal(io.StringIO):
    """Standard error on which people look."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(params=[Terminal, io.StringIO])
def shown(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    before = structlog.get_config()
    shown = request.param()
    monkeypatch.setattr(sys, "stderr", shown)
    configure_logging("info")
    yield shown
    structlog.configure(**before)


def test_what_went_wrong_is_told_without_the_values_that_it_went_wrong_with(shown: io.StringIO) -> None:
    def fail(credential: str) -> None:
        raise KeyError("unthought of")

    try:
        fail("dg_" + "not to be told")
    except KeyError:
        structlog.get_logger("test").exception("internal error")
    assert "unthought of" in shown.getvalue()
    assert "in fail" in shown.getvalue()
    assert "dg_not to be told" not in shown.getvalue()


def test_what_clients_send_cannot_draw_on_the_terminal(shown: io.StringIO) -> None:
    structlog.get_logger("test").warning("unknown document", text="{a}#\x1b]0;mine\x07\x1b[2J")
    assert "{a}#" in shown.getvalue()
    assert "\x1b]0;" not in shown.getvalue()
    assert "\x1b[2J" not in shown.getvalue()
