"""``python -m ops persist`` and ``check-schema`` as a person or a build runs them."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cache.embedded import EmbeddedValkey
from cache.persisted import REGISTERED, RegisteredDocuments
from cache.redis import RedisCache
from core.settings import Settings
from schema.operation import document_id

ROOT = Path(__file__).parent.parent.parent
ONE = "query One { stages { id } }"
TWO = "query Two($id: ID!) { deal(id: $id) { name } }"


@pytest.fixture
async def registered(valkey: EmbeddedValkey) -> AsyncIterator[RegisteredDocuments]:
    """What is registered in the session's Valkey; nothing at first, and nothing afterwards."""
    cache = RedisCache(valkey.url, timeout_s=10)
    await cache.client.flushall()
    yield RegisteredDocuments(cache.client)
    await cache.client.flushall()
    await cache.close()


async def python(*arguments: str, cwd: Path = ROOT, **variables: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command of ours."""
    ours = {name.upper() for name in Settings.model_fields}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=cwd,
        env=inherited | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return process.returncode or 0, out.decode(), err.decode()


async def ops(valkey: EmbeddedValkey, *arguments: str) -> tuple[int, str, str]:
    """A command that uses the session's Valkey."""
    return await python("-m", "ops", *arguments, REDIS_URL=valkey.url)


def written(folder: Path, content: Any) -> str:
    path = folder / "manifest.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return str(path)


def apollo(*operations: tuple[str, str]) -> dict[str, Any]:
    """A manifest as Apollo's tools write it."""
    entries = [{"id": name, "name": "X", "type": "query", "body": body, "clientName": "web"} for name, body in operations]
    return {"format": "apollo-persisted-query-manifest", "version": 1, "operations": entries}


async def test_a_manifest_of_apollo_and_a_map_of_relay_are_registered_listed_and_removed(
    tmp_path: Path, valkey: EmbeddedValkey, registered: RegisteredDocuments
) -> None:
    digest = document_id(ONE).removeprefix("sha256:")
    status, _, said = await ops(valkey, "persist", written(tmp_path, apollo((digest, ONE), (digest, ONE))))
    assert (status, said.split(" of ")[0]) == (0, "registered 1 documents")
    assert (await ops(valkey, "persist", written(tmp_path, {"relay-1": ONE, "relay-2": TWO})))[0] == 0
    assert await registered.all() == {
        digest: ONE.encode(),
        document_id(ONE): ONE.encode(),
        "relay-1": ONE.encode(),
        "relay-2": TWO.encode(),
        document_id(TWO): TWO.encode(),
    }
    status, out, _ = await ops(valkey, "persist", "--list")
    assert (status, sorted(out.splitlines())) == (
        0,
        sorted([f"{document_id(ONE)}\tOne\t{digest} relay-1", f"{document_id(TWO)}\tTwo\trelay-2"]),
    )
    assert (await ops(valkey, "persist", "--remove", "relay-1"))[0] == 0
    assert set(await registered.all()) == {"relay-2", document_id(TWO)}
    status, _, said = await ops(valkey, "persist", "--remove", "relay-2", "--remove", "relay-1")
    assert (status, said) == (1, "relay-1: is not registered\n")
    assert (await ops(valkey, "persist", "--remove", document_id(TWO)))[0] == 0
    assert (await ops(valkey, "persist", "--list"))[:2] == (0, "")


async def test_nothing_but_the_documents_is_written_and_they_do_not_expire(
    tmp_path: Path, valkey: EmbeddedValkey, registered: RegisteredDocuments
) -> None:
    assert (await ops(valkey, "persist", written(tmp_path, {"relay-1": ONE})))[0] == 0
    cache = RedisCache(valkey.url, timeout_s=10)
    keys = await cache.client.keys()
    assert sorted(keys) == sorted(f"{REGISTERED}{name}".encode() for name in ("", "relay-1", document_id(ONE)))
    assert {await cache.client.ttl(key) for key in keys} == {-1}
    await cache.close()


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (
            apollo(("a b", ONE), ("fine", ONE), ("x", "{ nothing other }"), ("y", "query {"), ("same", ONE), ("same", TWO),
                   (document_id(ONE), TWO), ("", ONE)),
            ["a b: an id is", "x:1:3: Cannot query field 'nothing'", "x:1:11: Cannot query field 'other'", "y:1:8: Syntax Error",
             "same: has two texts", f"{document_id(ONE)}: is not the hash of its text", ": an id is"],
        ),
        ({"x": "{ nothing }"}, ["x:1:3: Cannot query field 'nothing'"]),
        ({}, ["holds no documents"]),
        (apollo(), ["holds no documents"]),
        ({"x": 1}, ["must be an Apollo manifest"]),
        ([ONE], ["must be an Apollo manifest"]),
        ("{", ["is not JSON"]),
        (apollo() | {"version": 2}, ["only the format apollo-persisted-query-manifest, version 1, is known"]),
        (apollo() | {"operations": [{"id": "x"}]}, ["each of `operations` must have an `id` and a `body`"]),
        (apollo() | {"operations": ["x"]}, ["each of `operations` must have an `id` and a `body`"]),
        (apollo() | {"operations": 7}, ["`operations` must be a list"]),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
async def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_registered(
    tmp_path: Path, valkey: EmbeddedValkey, registered: RegisteredDocuments, manifest: Any, told: list[str]
) -> None:
    path = written(tmp_path, manifest)
    status, out, said = await ops(valkey, "persist", path)
    assert (status, out) == (1, "")
    lines = said.splitlines()
    assert len(lines) == len(told), said
    for line, expected in zip(lines, told, strict=True):
        assert line.startswith(f"{path}: {expected}"), line
    assert await registered.all() == {}


async def test_an_id_keeps_its_text_until_it_is_removed(
    tmp_path: Path, valkey: EmbeddedValkey, registered: RegisteredDocuments
) -> None:
    await ops(valkey, "persist", written(tmp_path, {"x": ONE}))
    status, _, said = await ops(valkey, "persist", written(tmp_path, {"x": TWO, "y": TWO}))
    assert (status, said) == (1, "x: is registered with another text; remove that first (--remove x)\n")
    assert set(await registered.all()) == {"x", document_id(ONE)}


async def test_without_redis_it_says_what_to_do(tmp_path: Path) -> None:
    manifest = written(tmp_path, {"x": ONE})
    for arguments in ((manifest,), ("--list",), ("--remove", "x")):
        status, _, said = await python("-m", "ops", "persist", *arguments, DATA_DIR=str(tmp_path / "data"))
        assert (status, said) == (1, f"no server is running on DATA_DIR={tmp_path}/data: start one (make run), or set REDIS_URL\n")
        status, _, said = await python("-m", "ops", "persist", *arguments, REDIS_URL=f"unix://{tmp_path}/nobody.sock")
        assert (status, said) == (1, "REDIS_URL: the server there does not answer\n")
        status, _, said = await python("-m", "ops", "persist", *arguments, REDIS_URL="redis://:hunter/2@127.0.0.1")
        assert (status, said) == (1, "REDIS_URL: this is not a URL that redis-py can read\n")
    assert (await python("-m", "ops", "persist", str(tmp_path / "none.json")))[0] == 1
    for wrong in ([], [manifest, "--list"], ["--list", "--remove", "x"]):
        assert (await python("-m", "ops", "persist", *wrong))[0] == 2


async def test_a_schema_is_compared_with_the_one_that_clients_know(
    tmp_path: Path, valkey: EmbeddedValkey, registered: RegisteredDocuments
) -> None:
    now = (ROOT / "schema.graphql").read_text("utf-8")
    old = tmp_path / "old.graphql"
    old.write_text(now)
    assert (await ops(valkey, "check-schema", str(old)))[0] == 0

    with_more = now.replace("  isLost: Boolean!\n", '  isLost: Boolean!\n\n  """Gone."""\n  gone(list: [ID!]!): String\n')
    old.write_text(with_more)
    status, _, said = await ops(valkey, "check-schema", str(old))
    assert (status, said) == (1, "breaking: Field Stage.gone was removed.\n")

    task = '\n  """Something to do; it may have a due date, and is open until completed."""\n  TASK\n'
    old.write_text(with_more.replace(task, ""))
    status, _, said = await ops(valkey, "check-schema", str(old))
    assert (status, [line.split(": ")[0] for line in said.splitlines()]) == (1, ["dangerous", "breaking"])

    old.write_text(now.replace(task, ""))
    status, _, said = await ops(valkey, "check-schema", str(old))
    assert (status, said.splitlines()[0]) == (0, "dangerous: Enum value ActivityType.TASK was added.")

    await registered.add({"x": b"{ stages { gone } }", "y": ONE.encode(), "z": b"{ stages { gone } }"})
    status, _, said = await ops(valkey, "check-schema", str(old))
    assert status == 1
    assert [line for line in said.splitlines() if line.startswith("trusted")] == [
        "trusted document: z:1:12: Cannot query field 'gone' on type 'Stage'."
    ]


async def test_a_schema_is_compared_without_redis_too_and_that_is_said(tmp_path: Path) -> None:
    status, _, said = await python("-m", "ops", "check-schema", str(ROOT / "schema.graphql"), DATA_DIR=str(tmp_path))
    assert status == 0
    assert said.splitlines() == [
        f"The documents in Redis were not checked: no server is running on DATA_DIR={tmp_path}: start one (make run), or set REDIS_URL",
        "nothing breaks: whoever asked rightly before does so now",
    ]


@pytest.mark.parametrize(
    ("text", "told"), [("type", "Syntax Error"), ("{ stages }", "no type Query"), ("type A { b: C }", "Unknown type 'C'")]
)
async def test_what_is_no_schema_is_not_compared(tmp_path: Path, text: str, told: str) -> None:
    old = tmp_path / "old.graphql"
    old.write_text(text)
    status, _, said = await python("-m", "ops", "check-schema", str(old))
    assert status == 1
    assert said.startswith(f"{old}: is not a schema")
    assert told in said
    assert len(said.splitlines()) == 1


async def test_a_document_that_does_not_fit_stops_the_start_before_anything_is_started(tmp_path: Path) -> None:
    program = tmp_path / "program"
    hidden = shutil.ignore_patterns(".*", "tests", "bench", "__pycache__")
    shutil.copytree(ROOT, program, ignore=hidden)
    (program / "documents" / "Wrong.graphql").write_text("query Wrong {\n  stages { colour }\n}\n")
    for workers in ("1", "2"):
        status, _, said = await python("server.py", cwd=program, DATA_DIR=str(tmp_path / "data"), WORKERS=workers)
        assert status == 1
        (line,) = said.splitlines()
        assert line.startswith("documents/Wrong.graphql:2:12: Cannot query field 'colour' on type 'Stage'.")
    assert not (tmp_path / "data").exists()
