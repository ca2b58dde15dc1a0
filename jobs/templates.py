"""Reads templates: texts with columns in them, and with parts that are left out where one of their columns is blank."""

import re

from jobs.mapping import MappingError, Part

# Doubled signs stand for themselves. What is in braces comes first: the name of a column may have brackets.
TOKEN = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{[^{}]+\}|[^{}\[\]]+|.", re.DOTALL)


def parts_of(template: str) -> tuple[Part, ...]:
    """The parts of a template, in order. Raises MappingError for braces or brackets without their opposite."""
    parts: list[Part] = []
    text, is_optional = "", False
    columns: list[str] = []
    for sign in TOKEN.findall(template):
        if sign in ("{", "}") or (sign == "[" and is_optional) or (sign == "]" and not is_optional):
            raise MappingError(f"{template!r} has a {sign} that is out of place; {sign * 2} stands for the sign")
        if sign in ("[", "]"):
            parts.append(Part(text, tuple(columns), is_optional))
            text, columns, is_optional = "", [], sign == "["
        elif sign[0] == "{" != sign[1]:
            text += "%s"
            columns.append(sign[1:-1])
        else:
            text += (sign[0] if sign[0] in "{}[]" else sign).replace("%", "%%")
    if is_optional:
        raise MappingError(f"{template!r} has a [ without its ]; [[ stands for the sign")
    return (*parts, Part(text, tuple(columns), is_optional))
