"""What makes the same question another one: answers of another build, another database or other keys are not ours."""

import shutil
from pathlib import Path

import pytest

from schema.build import build_schema
from schema.operation import Executable
from web.caching import keeping
from web.caching.keeping import MAKING, version_of

EXECUTABLE = Executable(build_schema())
URL, KEY = "postgresql://ada:secret@db.example:5433/crm", b"k" * 64


def test_any_change_of_the_code_that_makes_answers_makes_another_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = version_of(EXECUTABLE, URL, KEY)
    for room in MAKING:
        shutil.copytree(keeping.ROOT / room, tmp_path / room)
    monkeypatch.setattr(keeping, "ROOT", tmp_path)
    assert version_of(EXECUTABLE, URL, KEY) == here
    seen = {here}
    for room in MAKING:
        file = sorted((tmp_path / room).rglob("*.py"))[-1]
        file.write_bytes(file.read_bytes() + b"\n")
        seen.add(version_of(EXECUTABLE, URL, KEY))
    assert len(seen) == len(MAKING) + 1


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("postgresql://ada:secret@db.example:5433/other", KEY),
        ("postgresql://ada:secret@db.example:5434/crm", KEY),
        ("postgresql://ada:secret@elsewhere.example:5433/crm", KEY),
        ("postgresql://ada:secret@/crm?host=/run/postgresql", KEY),
        (URL, b"l" * 64),
    ],
)
def test_another_database_or_another_key_of_cursors_makes_another_version(url: str, key: bytes) -> None:
    assert version_of(EXECUTABLE, url, key) != version_of(EXECUTABLE, URL, KEY)


@pytest.mark.parametrize("url", ["postgresql://bob@db.example:5433/crm", f"{URL}?application_name=dealgraph"])
def test_who_reads_makes_no_other_version(url: str) -> None:
    assert version_of(EXECUTABLE, url, KEY) == version_of(EXECUTABLE, URL, KEY)
