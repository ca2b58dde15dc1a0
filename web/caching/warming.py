"""Makes answers before they are asked for, one at a time: of named documents at the start, and what goes old while hot."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

import structlog
from graphql import NonNullTypeNode, VariableDefinitionNode

from core.errors import AppError
from core.viewer import EVERYONE, READ_ALL, Viewer
from web.caching.keeping import answer_kept
from web.graphql.answering import Ready, Refused, prepare
from web.graphql.request import GraphQLRequest
from web.state import State

log = structlog.get_logger("web")

# With AUTH on, answers are warmed for a viewer who sees everything, and with no more scopes: it is part of their key.
ALL_SEEING = Viewer(EVERYONE.subject, None, frozenset({READ_ALL}))


async def keep_warm(state: State) -> None:
    """Runs until it is cancelled: makes the named answers that need no variables, and then what goes old while it is hot."""
    warming = state["warming"]
    if not warming.names:
        return
    while not state["responses"].freshness.is_hearing:  # noqa: ASYNC110 - it is a matter of time, too: a lease runs out
        await asyncio.sleep(0.05)
    viewer = state["authenticator"].known(None) or ALL_SEEING
    for ready in await _first(state, warming.names, viewer):
        await _make(state, ready, viewer)
    while True:
        await _make(state, *await warming.next())


async def _make(state: State, ready: Ready, viewer: Viewer) -> None:
    with suppress(AppError):  # it was worth a try: whoever asks for it will hear what is the matter
        await answer_kept(state, ready, viewer, strict=True)


async def _first(state: State, names: Collection[str], viewer: Viewer) -> list[Ready]:
    """The named operations that need no variables, ready to be made."""
    found = []
    for name in names:
        try:
            ready = await prepare(state, GraphQLRequest(operation_name=name), viewer, strict=True, only_reads=True)
        except Refused:
            log.warning("there is no trusted query of this name to warm", name=name)
            continue
        if not any(_must_be_given(each) for each in ready.operation.variable_definitions or ()):
            found.append(ready)
    return found


def _must_be_given(variable: VariableDefinitionNode) -> bool:
    return isinstance(variable.type, NonNullTypeNode) and variable.default_value is None
