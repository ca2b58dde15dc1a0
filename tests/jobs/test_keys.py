"""Rows that are not what their key says: merged into others, or without any key."""

import tomllib
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest

from jobs.imports import run_import
from jobs.mapping import MappingError
from jobs.mapping_file import read_mapping

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
MERGING = """source = "merging"
[[user]]
file = "users.csv"
key = "id"
name = "name"
merged = { file = "merges.csv", from = "old", into = "new" }
[[company]]
file = "companies.csv"
key = "id"
name = "id"
owner = "owner"
"""


async def test_what_was_merged_several_times_is_what_is_left(database_url: str, sql: "Connection", tmp_path: Path) -> None:
    mapping = read_mapping(tomllib.loads(MERGING), tmp_path / "merging.toml")
    (tmp_path / "users.csv").write_text("id,name\nA,Ann\nB,Bo\nC,Cy\nD,Di\n")
    (tmp_path / "merges.csv").write_text("old,new\nB,C\nA,B\nC,D\n")
    (tmp_path / "companies.csv").write_text("id,owner\n1,A\n2,C\n3,D\n")
    report = await run_import(database_url, mapping, tmp_path)
    assert report.bad == []
    owners = await sql.fetch("select app_user.name from company join app_user on app_user.id = owner_id")
    assert [owner[0] for owner in owners] == ["Di", "Di", "Di"]
    (tmp_path / "merges.csv").write_text("old,new\nA,B\nB,C\nC,B\n")
    with pytest.raises(MappingError, match=r"^merges\.csv: rows were merged in a circle, 'A' into 'B' into 'C' into 'B'$"):
        await run_import(database_url, mapping, tmp_path)


async def test_rows_without_a_key_that_are_alike_stay_as_many_in_one_file_as_in_several(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    user = {"file": "u-*.csv", "key": {"row_hash": True}, "name": {"row_hash": True}}
    mapping = read_mapping({"source": "x", "user": user}, tmp_path)
    (tmp_path / "u-1.csv").write_text("name\nAnn\nAnn\n")
    (tmp_path / "u-2.csv").write_text("name\nAnn\nBo\n")
    for inserted in (4, 0):
        report = await run_import(database_url, mapping, tmp_path)
        assert report.bad == []
        assert report.tallies["users"].inserted == inserted
    assert await sql.fetchval("select count(*) from app_user where external_id like '%/3'") == 1


async def test_what_was_merged_into_itself_was_not_merged(database_url: str, sql: "Connection", tmp_path: Path) -> None:
    mapping = read_mapping(tomllib.loads(MERGING), tmp_path / "merging.toml")
    (tmp_path / "users.csv").write_text("id,name\nA,Ann\nB,Bo\nC,Cy\nD,Di\n")
    (tmp_path / "merges.csv").write_text("old,new\nA,A\nB,A\nC,D\nC,C\n")
    (tmp_path / "companies.csv").write_text("id,owner\n1,A\n2,B\n3,C\n")
    report = await run_import(database_url, mapping, tmp_path)
    assert report.bad == []
    assert report.tallies["users"].skipped == 2
    owners = await sql.fetch("select app_user.name from company join app_user on app_user.id = owner_id order by company.name")
    assert [owner[0] for owner in owners] == ["Ann", "Ann", "Di"]
