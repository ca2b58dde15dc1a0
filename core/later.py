"""Coroutines that are made when they are awaited.

Who was going to await a coroutine may go away first, and Python complains of each that nobody awaited: a warning in the log
for every client that leaves in the middle of a request.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial, wraps
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Later(Generic[T]):
    """What a coroutine function gives, called when it is awaited, which is to be once."""

    __slots__ = ("_begin",)

    def __init__(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._begin = begin

    def __await__(self) -> Generator[Any, Any, T]:
        return self._begin().__await__()


def later(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Awaitable[T]]:
    """The function, but that it begins when its result is awaited."""

    @wraps(function)
    def begun_later(*args: P.args, **kwargs: P.kwargs) -> Later[T]:
        return Later(partial(function, *args, **kwargs))

    return begun_later
