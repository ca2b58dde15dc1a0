"""The files in ``sql/`` as named statements.

A statement is a header and a text; all other comment lines are for readers of the file::

    -- name: by_ids -> CompanyRow

    -- name: page_{scope}_{way} -> CompanyRow          one statement for each combination
    -- with scope owner: within = company.owner_id = wanted.id
    -- with way up: ahead = >; order = asc

    -- name: rebuild -> nothing                        a script: run for its effect, see ``script``

    -- define: matches                                 text that several statements of the file share
    -- use: paging                                     the definitions of sql/paging.sql too

    {company.columns}                               a definition of sql/company.sql

``{within}`` in a text is replaced by what its variant says, ``{matches}`` by the definition (which may hold ``-- with``
lines itself), ``{scope}`` by the variant's own name. Everything is put together from ``sql/`` at import; nothing that a
client sends becomes SQL text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Generic, TypeVar

Row = TypeVar("Row", bound=tuple[Any, ...])
SQL = Path(__file__).parent.parent / "sql"
SECTION = re.compile(r"^-- (name|define): (.+)$", re.M)
NAME = re.compile(r"([\w{}]+) -> (\w+)")
VARIANT = re.compile(r"^-- with (\w+) (\w+):(.*)(?:\n|\Z)", re.M)
USE = re.compile(r"^-- use: ([\w/]+)$", re.M)
COMMENT = re.compile(r"^--(?! (?:name|define|with)\b).*\n", re.M)
BLANK = re.compile(r"\{(\w+(?:\.\w+)?)\}")


@dataclass(frozen=True, slots=True)
class Statement(Generic[Row]):
    """One SQL text, its name, and the class of the rows it returns."""

    name: str
    row: type[Row]
    text: str

    @property
    def parameters(self) -> int:
        """How many it takes."""
        return max(map(int, re.findall(r"\$(\d+)", self.text)), default=0)


def parse(stem: str, source: str) -> dict[str, tuple[str, str]]:
    """``{"company.by_ids": ("CompanyRow", "select ...")}`` of one file. Raises ValueError saying what is wrong."""
    sections = _sections(source)
    shared = _scope(source)
    found: dict[str, tuple[str, str]] = {}
    for kind, title, text in sections:
        if kind == "define":
            continue
        header = NAME.fullmatch(title.strip())
        if header is None:
            raise ValueError(f"sql/{stem}.sql: '-- name: {title}' must read '-- name: NAME -> ROW'")
        whole = _inlined(text, shared)
        for blanks in _variants(whole):
            name = f"{stem}.{_filled(header[1], blanks, stem)}"
            if name in found:
                raise ValueError(f"sql/{stem}.sql: {name} is defined twice")
            body = _filled(VARIANT.sub("", whole).strip(), blanks, stem)
            found[name] = (header[2], f"/* {name} */ {body}")
    return found


def _sections(source: str) -> list[tuple[str, str, str]]:
    """Kind, title and text of each section of a file."""
    _, *parts = SECTION.split(COMMENT.sub("", source))
    return list(zip(parts[::3], parts[1::3], parts[2::3], strict=True))


def _definitions(sections: list[tuple[str, str, str]]) -> dict[str, str]:
    return {title.strip(): text.strip() for kind, title, text in sections if kind == "define"}


def _scope(source: str) -> dict[str, str]:
    """The definitions of a file and of those that it uses."""
    found = _definitions(_sections(source))
    for used in USE.findall(source):
        found = _definitions(_sections((SQL / f"{used}.sql").read_text("utf-8"))) | found
    return found


def _inlined(text: str, shared: dict[str, str]) -> str:
    """``text`` with the definitions of its file in place; they may use each other and bring ``-- with`` lines."""

    def put(blank: re.Match[str]) -> str:
        stem, _, name = blank[1].rpartition(".")
        if not stem:
            return shared.get(name, blank[0])
        others = _scope((SQL / f"{stem}.sql").read_text("utf-8"))
        return _inlined(others[name], others)

    before = ""
    while text != before:
        before, text = text, BLANK.sub(put, text)
    return text


def _variants(text: str) -> Iterator[dict[str, str]]:
    """The blanks of every combination of the ``-- with`` lines of a statement; one empty one without any."""
    axes: dict[str, list[dict[str, str]]] = {}
    for axis, choice, assignments in VARIANT.findall(text):
        blanks = dict(part.strip().split(" = ", 1) for part in assignments.split(";") if part.strip())
        axes.setdefault(axis, []).append({axis: choice} | blanks)
    for combination in product(*axes.values()):
        yield {name: value for blanks in combination for name, value in blanks.items()}


def _filled(text: str, blanks: dict[str, str], stem: str) -> str:
    """``text`` with every ``{name}`` replaced, also those that replacements bring."""
    while BLANK.search(text):
        try:
            text = BLANK.sub(lambda blank: blanks[blank[1]], text)
        except KeyError as missing:
            raise ValueError(f"sql/{stem}.sql: nothing says what {{{missing.args[0]}}} is") from None
    return text


def _all() -> Iterator[tuple[str, tuple[str, str]]]:
    for path in sorted(SQL.rglob("*.sql")):
        if path.parent.name != "migrations":
            stem = path.relative_to(SQL).with_suffix("").as_posix().replace("/", ".")
            yield from parse(stem, path.read_text("utf-8")).items()


TEXTS = dict(_all())
# What connections of the pool prepare and hold, each when it is first asked for it. The tests prove all of it.
REGISTRY: "dict[str, Statement[Any]]" = {}


def statement(name: str, row: type[Row], *, held: bool = True) -> Statement[Row]:
    """The statement of that name; ``held`` ones are run through the pool, whose connections keep them prepared.

    Raises KeyError or ValueError: at import, where statements are named.
    """
    declared, text = TEXTS[name]
    if declared != row.__name__:
        raise ValueError(f"{name} returns {declared}, not {row.__name__}")
    found = Statement(name, row, text)
    return REGISTRY.setdefault(name, found) if held else found


def family(prefix: str, row: type[Row]) -> dict[str, Statement[Row]]:
    """The statements whose names begin with ``prefix``, by their full names. Raises as ``statement`` does."""
    return {name: statement(name, row) for name in TEXTS if name.startswith(prefix)}


def variants(prefix: str, row: type[Row]) -> dict[str, Statement[Row]]:
    """The statements whose names begin with ``prefix``, by the rest of their names. Raises as ``statement`` does."""
    return {name.removeprefix(prefix): each for name, each in family(prefix, row).items()}


def script(name: str) -> str:
    """The text of a named script, which returns no rows. Raises KeyError, and ValueError for a statement."""
    declared, text = TEXTS[name]
    if declared != "nothing":
        raise ValueError(f"{name} returns {declared}: it is a statement, not a script")
    return text
