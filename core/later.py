"""A value that will be there: what loading gives, and what an executor goes on with, without a task for each who waits.

A task costs 8 us and each future on the way a turn of the loop; a Dashboard has a score of both. Whoever wants a ``Later``
is called in the moment in which it is given. It can be awaited as well, by as many as like, and by none: who was going to
may have gone away.
"""

import asyncio
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

T = TypeVar("T")
S = TypeVar("S")


class Later(Generic[T]):
    """A value, or the error in its place. It is given once."""

    __slots__ = ("_outcome", "_wanted_by")

    def __init__(self) -> None:
        self._outcome: Any = None
        self._wanted_by: list[Callable[[Any], object]] | None = []

    @classmethod
    def given(cls, outcome: T | BaseException) -> "Later[T]":
        """One that is there already."""
        made = cls()
        made.give(outcome)
        return made

    @property
    def outcome(self) -> Any:
        """The value or the error that was given; None before."""
        return self._outcome

    def give(self, outcome: "T | BaseException | Later[T]") -> None:
        """Gives the value, or the error, or what will give it."""
        if isinstance(outcome, Later):
            outcome.then(self.give)
            return
        assert self._wanted_by is not None, "given twice"
        self._outcome = outcome
        wanted_by, self._wanted_by = self._wanted_by, None
        for each in wanted_by:
            each(outcome)

    def then(self, wanting: Callable[[Any], object]) -> None:
        """Calls ``wanting`` with the value or the error when it is given, now if it has been.

        What ``wanting`` raises is raised to whoever calls ``give``, or here.
        """
        if self._wanted_by is None:
            wanting(self._outcome)
        else:
            self._wanted_by.append(wanting)

    def map(self, change: "Callable[[T], S | Later[S]]") -> "Later[S]":
        """What ``change`` makes of the value. If it raises, that error is the outcome; an error of this one is passed on."""
        changed: Later[S] = Later()
        self.then(partial(_give_changed, changed, change))
        return changed

    def __await__(self) -> Generator[Any, None, T]:
        if self._wanted_by is not None:
            given = asyncio.get_running_loop().create_future()
            self._wanted_by.append(partial(_wake, given))
            yield from given
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome  # type: ignore[no-any-return]


def pass_over(done: "asyncio.Future[Any]") -> None:
    """Takes the error of a future whose readers may all have gone, of which asyncio would tell otherwise: a callback."""
    if not done.cancelled():
        done.exception()


def outcomes_of(laters: Sequence[Later[T]]) -> Later[list[T | BaseException]]:
    """Their values in their order, an error in the place of the value that it came instead of."""
    together: Later[list[Any]] = Later()
    if len(laters) == 1:  # nearly always: there is nothing to wait for besides
        laters[0].then(lambda outcome: together.give([outcome]))
        return together
    outcomes: list[Any] = [None] * len(laters)
    missing = len(laters)

    def take(at: int, outcome: Any) -> None:
        nonlocal missing
        outcomes[at] = outcome
        missing -= 1
        if not missing:
            together.give(outcomes)

    for at, each in enumerate(laters):
        each.then(partial(take, at))
    return together if laters else Later.given([])


def all_of(laters: Sequence[Later[T]]) -> Later[list[T]]:
    """All their values, in their order; or the first of their errors in that order."""
    return outcomes_of(laters).map(_without_errors)


def _give_changed(changed: Later[Any], change: Callable[[Any], Any], outcome: Any) -> None:
    if not isinstance(outcome, BaseException):
        try:
            outcome = change(outcome)
        except Exception as error:  # whatever it raises is the outcome
            outcome = error
    changed.give(outcome)


def _wake(waiting: "asyncio.Future[None]", _: Any) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _without_errors(outcomes: list[Any]) -> Any:
    return next((each for each in outcomes if isinstance(each, BaseException)), outcomes)
