"""The house holds: who imports whom, where SQL lives, and that nothing installed takes our names."""

import ast
import json
import re
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# A room may import itself and these (house rule); server.py may import everything and is imported by nobody.
MAY_IMPORT = {
    "core": set(),
    "db": {"core"},
    "cache": {"core"},
    "loaders": {"core", "db", "cache"},
    "resolvers": {"core", "db", "loaders"},
    "execution": {"core"},
    "schema": {"core", "db.rows", "resolvers", "execution"},
    "jobs": {"core", "db", "cache"},
    "web": {"core", "db", "cache", "loaders", "resolvers", "schema", "execution", "jobs"},
    "ops": {"core", "db", "cache", "loaders", "resolvers", "schema", "jobs", "web"},
}
OURS = {*MAY_IMPORT, "server", "bench", "tests"}
MODULES = sorted(path for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The modules of ours that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides which room it reaches into"
            names |= {node.module or ""} if node.module else set()
    return {name for name in names if name.split(".")[0] in OURS}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_imports_upwards(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    allowed = MAY_IMPORT[room] | {room}
    for name in imported(path):
        assert any(name == each or name.startswith(each + ".") for each in allowed), f"{room} may not import {name}"


@pytest.mark.parametrize("path", [*MODULES, ROOT / "server.py"], ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_stand_at_the_top(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    inner = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)) and node.col_offset]
    assert inner == [], "an import inside a function hides a cycle"


@pytest.mark.parametrize("path", [*MODULES, ROOT / "server.py"], ids=lambda path: str(path.relative_to(ROOT)))
def test_sql_lives_in_sql(path: Path) -> None:
    texts = [
        node.value
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    pattern = re.compile(r"\s*(select\b.+\bfrom|insert\s+into|update\s+\w+\s+set|delete\s+from|truncate|create\s+table)\b", re.I | re.S)
    assert [text for text in texts if pattern.match(text)] == []


def test_nothing_that_is_installed_takes_one_of_our_names() -> None:
    taken = {
        f"{each.metadata['Name']}: {name}"
        for each in distributions()
        for name in (each.read_text("top_level.txt") or "").split()
        if name in OURS
    }
    assert taken == set()


@pytest.mark.parametrize("folder", ["web/graphiql", "tests/web/npm", "bench/peers"])
def test_the_locks_of_npm_have_hashes_and_no_download_address(folder: str) -> None:
    lock = (ROOT / folder / "package-lock.json").read_text("utf-8")
    assert "://" not in lock
    assert "resolved" not in lock
    packages = {name: each for name, each in json.loads(lock)["packages"].items() if name}
    assert packages
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_locks_name_no_index_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    assert "://" not in text
    assert "--index" not in text
    pinned = re.findall(r"^(\S+)==", text, re.M)
    assert pinned
    assert len(re.findall(r"--hash=sha256:", text)) >= len(pinned)
