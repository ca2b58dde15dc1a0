"""JSON from outside, no deeper than anything of ours needs: what is nested far exhausts whoever recurses into it."""

from typing import Any

import orjson

from core.errors import BadRequest


def json_of(text: bytes | str, what: str, most: int) -> Any:
    """The value of a JSON text with ``most`` levels of arrays and objects. Raises BadRequest; ``what`` names it there."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"{what} is not JSON: {error}.") from None
    is_flat = isinstance(text, bytes) and text.count(b"{") + text.count(b"[") <= most  # as nearly all are
    if not is_flat and is_deeper(found, most):
        raise BadRequest(f"{what} is nested more than {most} levels.")
    return found


def is_deeper(value: Any, most: int) -> bool:
    """Whether there are more than ``most`` levels of lists and dictionaries; itself without recursion."""
    level, depth = [value], 0
    while level := [each for each in level if isinstance(each, (dict, list)) and each]:
        depth += 1
        if depth > most:
            return True
        level = [below for each in level for below in (each.values() if isinstance(each, dict) else each)]
    return False
