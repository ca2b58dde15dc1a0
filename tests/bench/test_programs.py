"""What cannot be measured on a machine is told, and the rest is measured."""

from pathlib import Path

import pytest

from bench import programs
from bench.programs import chosen


@pytest.mark.parametrize(
    ("version", "installed", "told"),
    [
        (None, False, "NOT MEASURED: Mercurius and Apollo Server: Node 20 or newer is not installed"),
        ("v18.19.1", True, "NOT MEASURED: Mercurius and Apollo Server: they need Node 20 or newer, and this is v18.19.1"),
        ("", True, "NOT MEASURED: Mercurius and Apollo Server: they need Node 20 or newer, and this is none that runs"),
        ("v22.1.0", False, "NOT MEASURED: Mercurius and Apollo Server: their packages are not installed: make bench-peers"),
        ("v22.1.0", True, None),
    ],
)
def test_without_node_or_its_packages_the_others_are_measured(
    version: str | None, installed: bool, told: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "PEERS", tmp_path)
    if version is not None:
        node = tmp_path / "node"
        node.write_text(f"#!/bin/sh\necho '{version}'\n")
        node.chmod(0o755)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "package-lock.json").write_text("as it is now")
    (tmp_path / "node_modules" / ".installed").write_text("as it is now" if installed else "as it was")
    said: list[str] = []
    found = [program.name for program in chosen(True, said.append)]
    assert found == ["server", "floor", "strawberry", *([] if told else ["mercurius", "mercurius, pg", "apollo"])]
    assert said == ([told] if told else [])
    assert [program.name for program in chosen(False, said.append)] == ["server", "floor"]
