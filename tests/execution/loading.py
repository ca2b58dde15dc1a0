"""Loaders over a world: some fail for some keys, some as a whole, some are slow."""

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from loaders.base import Loader
from loaders.page import Listing, Window
from loaders.reads import Reads
from tests.execution.world import Broken, Raised, World, raising, returned


def loaded(world: World, kind: str, served: str, key: Any) -> Any:
    """What is loaded for a field under a key; raises what is raised for it."""
    if world.errors > 20 and world.dice(f"down/{kind}/{served}").below(20) == 0:
        raise Broken(f"the loader of {kind}.{served} is down")
    return raising(world.field(kind, key, served))


def rows_of(world: World, parent: Any, size: int) -> Any:
    """The rows below a row, of which one may be missing and one may be an error."""
    dice = world.dice(f"rows/{parent}")
    if dice.below(20) == 0:
        return Broken(f"no rows for {parent}")
    return [world.row("Gamma", number) if dice.below(20) else dice.of(None, Broken("a row")) for number in range(min(size, 3))]


class Found:
    """What a loader has under a key, for fields that pick the value of it."""

    def __init__(self, value: Any) -> None:
        self._value = value

    @property
    def value(self) -> Any:
        """The value; raises if it is to be raised."""
        return raising(self._value)


class ToyLoader(Loader[Any, Any]):
    """A loader that takes some turns of the loop, more or fewer by its name."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(None, None)  # type: ignore[arg-type]
        self.world = world
        self._turns = world.dice(f"slow/{name}").below(4)

    async def load_keys(self, keys: list[Any]) -> Sequence[Any]:
        for _ in range(self._turns):
            await asyncio.sleep(0)
        return [self.under(key) for key in keys]

    @abstractmethod
    def under(self, key: Any) -> Any:
        """What is under a key; raises if the loader fails as a whole."""

    def tags(self, keys: Sequence[Any]) -> Iterable[str]:
        return ()


class FieldLoader(ToyLoader):
    """What a field of the world has for each key; with ``is_picked`` inside of something that is loaded."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        *picked, self._kind, self._served = name.split("__")
        self._is_picked = bool(picked)

    def under(self, key: Any) -> Any:
        try:
            value = loaded(self.world, self._kind, self._served, key)
        except Broken as error:
            if "down" in str(error):
                raise
            value = Raised(error)
        # What is raised within a pick is raised by picking for odd keys, and by loading for even ones.
        return Found(value) if self._is_picked and not (isinstance(value, Raised) and key % 2) else returned(value)


class RowsLoader(ToyLoader):
    """The rows of each window."""

    def under(self, key: Window) -> Any:
        return rows_of(self.world, key.parent, key.size)


class FirstRowsLoader(ToyLoader):
    """The first rows below each parent."""

    def __init__(self, size: int, world: World, name: str) -> None:
        super().__init__(world, name)
        self._size = size

    def under(self, key: Any) -> Any:
        return rows_of(self.world, key, self._size)


class Loaders:
    """The loaders of one request, each made at its first use, by the field that it is for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reads = Reads(datetime.now(UTC))
        self._batches: set[asyncio.Task[None]] = set()
        self._made: dict[str, ToyLoader] = {}

    def __getattr__(self, name: str) -> ToyLoader:
        if "__" not in name or name.startswith("_"):
            raise AttributeError(name)
        return self._get(name, FieldLoader)

    def page(self, listing: Listing, way: str) -> ToyLoader:
        """As the real ones have it."""
        return self._get("rows", RowsLoader)

    def first_of_company(self, listing: Listing, size: int) -> ToyLoader:
        """As the real ones have it: the same rows."""
        return self._get(f"first {size}", partial(FirstRowsLoader, size))

    def _get(self, name: str, make: Callable[[World, str], ToyLoader]) -> ToyLoader:
        if name not in self._made:
            made = self._made[name] = make(self._world, name)
            made.reads, made.reference, made.batches = self._reads, None, self._batches
        return self._made[name]

    async def stop(self) -> None:
        """Cancels what is being loaded for nobody, and waits until that is over."""
        tasks = list(self._batches)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
