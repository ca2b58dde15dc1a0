"""The DataLoaders of one request for plain Strawberry."""

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import asyncpg
from aiodataloader import DataLoader
from strawberry import Info

from bench.peers.plain.database import Database


class Loaders:
    """Keys to answers, made when they are first needed; also the roots' way to the database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._made: dict[tuple[Any, ...], DataLoader[str, Any]] = {}

    def one(self, name: str, make: "Callable[[asyncpg.Record], Any]") -> "DataLoader[str, Any]":
        """Id to the row of that statement as an object, or None."""
        return self._loader(self._one, name, make)

    def count(self, name: str, column: str) -> "DataLoader[str, Any]":
        """Company id to a figure, 0 where there is none."""
        return self._loader(self._count, name, column)

    def many(self, name: str, make: "Callable[[asyncpg.Record], Any]", limit: int) -> "DataLoader[str, Any]":
        """Company id to at most so many rows of that statement as objects."""
        return self._loader(self._many, name, make, limit)

    def rows(self, name: str) -> "DataLoader[str, Any]":
        """A key to the rows of a statement about that key alone."""
        return self._loader(self._rows, name)

    def _loader(self, batch: Callable[..., Any], name: str, *how: Any) -> "DataLoader[str, Any]":
        key = (name, *how)
        if key not in self._made:
            self._made[key] = DataLoader(partial(batch, name, *how))
        return self._made[key]

    async def _one(self, name: str, make: Callable[[Any], Any], ids: list[str]) -> list[Any]:
        found = {row["id"]: make(row) for row in await self.database.rows(name, ids)}
        return [found.get(each) for each in ids]

    async def _rows(self, name: str, keys: list[str]) -> list[Any]:
        return [await self.database.rows(name, each) for each in keys]

    async def _count(self, name: str, column: str, ids: list[str]) -> list[Any]:
        found = {row["companyId"]: row[column] for row in await self.database.rows(name, ids)}
        return [found.get(each, 0) for each in ids]

    async def _many(self, name: str, make: Callable[[Any], Any], limit: int, ids: list[str]) -> list[list[Any]]:
        found = defaultdict(list)
        for row in await self.database.rows(name, ids, limit=limit):
            found[row["companyId"]].append(make(row))
        return [found[each] for each in ids]


def loaders(info: Info) -> Loaders:
    """Those of the request."""
    found: Loaders = info.context
    return found
