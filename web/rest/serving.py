"""One line of the REST table answered, whether it was asked for alone or in a batch."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from core.errors import BadRequest
from web.auth.asker import Asker
from web.caching.keeping import answer_one
from web.graphql.charging import charge_little
from web.graphql.request import GraphQLRequest
from web.rest.answer import MethodNotAllowed, NoSuchThing, RestAnswer, error_of, refused, rest_answer
from web.rest.parameters import Given, UnknownParameter, WrongFields, WrongParameters, given
from web.rest.table import Served
from web.state import State

# A list of a hundred values, and everything else that a path takes.
MOST_PARAMETERS = 200
TOO_MANY = f"There are more than {MOST_PARAMETERS} parameters."


def meant(method: str, path: str, by_method: Iterable[str]) -> str:
    """The method that answers: a HEAD is a GET whose body nobody sees. Raises NoSuchThing, MethodNotAllowed."""
    if not by_method:
        raise NoSuchThing(f"There is nothing at {path[:200]}: see /api/openapi.json.")
    found = "GET" if method == "HEAD" else method
    if found not in by_method:
        raise MethodNotAllowed(method, by_method)
    return found


def pairs_of(query: str) -> list[tuple[str, str]]:
    """The parameters of a query string, in their order. Raises BadRequest for too many."""
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise BadRequest(TOO_MANY) from None


def bounded(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Parameters wherever they stood. Raises BadRequest for too many."""
    if len(pairs) > MOST_PARAMETERS:
        raise BadRequest(TOO_MANY)
    return pairs


async def answer_served(
    state: State,
    served: Served,
    asker: Asker,
    in_path: Mapping[str, str],
    pairs: Iterable[tuple[str, str]],
    body: Any,
    *,
    refresh: bool,
) -> RestAnswer:
    """The answer to parameters as they came, or to the body of a POST. It is charged. Raises AppError."""
    most = state["settings"].max_errors
    try:
        asked = given(served.parameters, in_path, pairs)
        if served.line.method == "POST":
            asked = Given(_body(served, body, most), False)
    except WrongParameters as wrong:
        await charge_little(state, asker.viewer)
        told = [error_of(error, **{wrong.kind: name[:50]}) for name, error in wrong.errors[:most]]
        more = {"extensions": {"errorsLeftOut": wrong.count - most}} if wrong.count > most else {}
        return RestAnswer(400, {"errors": told, **more})
    except BadRequest as error:
        await charge_little(state, asker.viewer)
        return refused(error)
    answered = await answer_one(
        state,
        GraphQLRequest(operation_name=served.line.document, variables=asked.variables),
        asker,
        strict=True,
        only_reads=served.line.method == "GET",
        refresh=refresh or asked.refresh,
        kinds=served.line.kinds,
    )
    return rest_answer(served, answered, asked.variables)


def _body(served: Served, body: Any, most: int) -> dict[str, Any]:
    """The variables of a POST. Raises BadRequest, and WrongFields with ``most`` of them: a body may have very many."""
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    known = [each.variable.name.value for each in served.operation.variable_definitions or ()]
    unknown = [name for name in body if name not in known]
    if unknown:
        why = f"there is no such field here. There are {', '.join(known)}."
        raise WrongFields([(name, UnknownParameter(f"{name[:50]}: {why}")) for name in unknown[:most]], len(unknown))
    return body
