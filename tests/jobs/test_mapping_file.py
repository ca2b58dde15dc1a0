"""Mappings as TOML: what is shipped can be read, and what is wrong is named."""

import re
import tomllib
from datetime import UTC, date
from pathlib import Path

import pytest

from jobs.mapping import MappingError
from jobs.mapping_file import SHIPPED, load_mapping, read_mapping
from jobs.values import as_date

COMPANY = "[[company]]\nfile = 'c.csv'\nkey = 'k'\nname = 'n'\n"
USER = "[[user]]\nfile = 'u.csv'\nkey = 'id'\nname = 'name'\n"


def refusal(text: str) -> str:
    with pytest.raises(MappingError) as refused:
        read_mapping(tomllib.loads(text), Path("m.toml"))
    return str(refused.value)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_mapping_is_found_by_its_bare_name(path: Path) -> None:
    mapping = load_mapping(path.stem)
    assert mapping.source == path.stem
    assert mapping.sections


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (USER, "source: is missing"),
        ("source = 'x'", "maps nothing"),
        ("source = 'x'\n[[user]]\nfile = 'u.csv'\nkey = 'id'", "user[1].name: is missing"),
        ("source = 'x'\n" + USER + "emial = 'e'", "user[1].emial: unknown key; did you mean email?"),
        ("source = 'x'\n" + USER + "rows = []", "user[1]: needs either file or rows"),
        ("source = 'x'\n" + USER + "email = { column = 'e', template = '{e}' }", "user[1].email: needs exactly one of"),
        ("source = 'x'\n" + USER + "email = { template = 'e' }", "user[1].email.template: names no {column}"),
        ("source = 'x'\n" + USER + "email = { template = '{e} {f' }", "user[1].email.template: '{e} {f' has a { that is out"),
        ("source = 'x'\n" + USER + "email = { template = '{e} [x' }", "user[1].email.template: '{e} [x' has a [ without its ]"),
        ("source = 'x'\n" + USER + "email = { template = '{e} x] {}' }", "'{e} x] {}' has a ] that is out of place"),
        ("source = 'x'\n" + USER + "email = { template = '{e} {}' }", "'{e} {}' has a { that is out of place"),
        ("source = 'x'\n" + USER + "email = { template = '{e}[ [{f}]]' }", "has a [ that is out of place; [[ stands for"),
        ("source = 'x'\n" + USER + "email = { column = 'e', case = 'big' }", "user[1].email.case: must be one of"),
        ("source = 'x'\n" + USER + "skip = { column = 'e' }", "user[1].skip: needs exactly one of is"),
        ("source = 'x'\n" + USER + "skip = { column = 'e', matches = '(' }", "is not a regular expression"),
        ("source = 'x'\ntime_zone = 'Mars'\n" + USER, "time_zone: 'Mars' is not an IANA time zone"),
        ("source = 'x'\nencoding = 'utf-9'\n" + USER, "encoding: 'utf-9' is not an encoding"),
        ("source = 'x'\nencoding = 'rot13'\n" + USER, "encoding: 'rot13' is not an encoding"),
        ("source = 'x'\nencoding = \"\\u0000\"\n" + USER, "encoding: no text holds the character NUL"),
        ("source = 'x'\ndates = ['%d/%d/%Y']\n" + USER, "dates: '%d/%d/%Y' is not a date format: redefinition of group"),
        ("source = 'x'\n" + USER + "created_at = { column = 'c', dates = '%e' }", "user[1].created_at.dates: '%e' is not a date"),
        ("source = 'x'\ndates = ['%d.%m.%Y %H:%M %Z']\n" + USER, "dates: '%d.%m.%Y %H:%M %Z' is not a date format: %Z, the name"),
        ("source = 'x'\ndates = ['%H:%M']\n" + USER, "dates: '%H:%M' is not a date format: it has no year"),
        ("source = 'x'\ndates = ['%d %m', '%Y']\n" + USER, "dates: '%d %m' is not a date format: it has no year"),
        ("source = 'x'\ndates = ['DD/MM/YYYY']\n" + USER, "dates: 'DD/MM/YYYY' is not a date format: it has no year"),
        ("source = 'x'\ndates = ['%%Y']\n" + USER, "dates: '%%Y' is not a date format: it has no year"),
        ("source = 'x'\n" + USER + "email = { column = 'e', replace = [['e', '\\9']] }", "email.replace[1]: '\\\\9' cannot take"),
        ("source = 'x'\n" + USER + "email = { column = 'e', replace = [['e', '<\\0>']] }", "email.replace[1]: \\0 is the character NUL"),
        ("source = 'x'\n" + USER + "email = { value = \"a\\u0000\" }", "email.value: no text holds the character NUL"),
        ("source = 'x'\n" + USER + "email = { column = 'e', replace = inf }", "user[1].email.replace: must be a list of pairs"),
        ("source = 'x'\n" + USER + "skip = { column = 'e', is = [] }", "user[1].skip.is: is empty"),
        ("source = 'x'\n" + USER + "skip = { column = 'e', not_found_in = [] }", "user[1].skip.not_found_in: is empty"),
        ("source = 'x'\nfiles = 0\n" + USER, "files: must be a table, not 0"),
        ("source = 'x'\n" + USER + "[files.'user.csv']\nquote = '-'", 'files."user.csv": nothing reads such a file; did you mean u.csv?'),
        ("source = 'x'\n" + USER + "[files.'nope']\nquote = '-'", 'files."nope": nothing reads such a file; the mapping reads u.csv'),
        ("source = 'x'\nxyz = 0\n" + USER, "xyz: unknown key; known here: activity, blanks, company, contact, dates, deal, decimal, "
         "delimiter, encoding, files, quote, skip_lines, source, stage, stage_change, time_zone, user"),
        ("source = 'x'\n" + USER + "[files.'u.csv']\nblank = []", 'files."u.csv".blank: unknown key; did you mean blanks?'),
        ("source = 'x'\n" + USER + "[files.'u.csv']\nxyz = 0", "known here: blanks, delimiter, encoding, header, quote, skip_lines, values"),
        ("source = 'x'\ndelimiter = ';;'\n" + USER, "delimiter: must be one character"),
        ("source = 'x'\ndelimiter = \"\\n\"\n" + USER, "delimiter: must be one character, not '\\n'"),
        (f"source = '{'x' * 501}'\n" + USER, "source: is longer than 500 characters"),
        ("source = 'x'\nskip_lines = -1\n" + USER, "skip_lines: must be a whole number, not -1"),
        ("source = 'x'\nskip_lines = true\n" + USER, "skip_lines: must be a whole number, not True"),
        ("source = 'x'\n" + USER + "optional = 'no'", "user[1].optional: must be true or false, not 'no'"),
        ("source = 'x'\n" + USER + "email = { column = ['e'] }", "user[1].email.column: must be a text, not ['e']"),
        ("source = 'x'\n" + USER + "email = { column = 'e', values = 'x' }", "user[1].email.values: must be a table such as"),
        ("source = 'x'\n" + USER + "email = { default = 'e' }", "user[1].email: needs exactly one of column"),
        ("source = 'x'\n" + USER + "email = { only_if = { column = 'e', is = 'x' } }", "user[1].email: needs exactly one of column"),
        ("source = 'x'\n" + USER + "skip = { column = 'e', is = 'x', blank = true }", "user[1].skip: needs exactly one of is"),
        ("source = 'x'\n" + USER + "email = { column = 'e', replace = [['e']] }", "user[1].email.replace[1]: must be a pair"),
        ("source = 'x'\n" + COMPANY + "revenue = { column = 'r', multiply = inf }", "revenue.multiply: must be a number, not 'inf'"),
        ("source = 'x'\n[[stage]]\nrows = []", "stage[1].rows: must be a list of tables, one for each stage"),
        ("source = 'x'\n[[user]]\nrows = [{ email = 'e' }]", "user[1].key: is missing; every user needs one"),
        ("source = 'x'\ndecimal = '-'\n" + USER, "decimal: must be one of"),
        ("source = 'x'\n" + COMPANY + "owner = { column = 'o', by = 'phone' }", "company[1].owner.by"),
        ("source = 'x'\n" + COMPANY + "owner = { column = 'o', missing = 'default' }", "no default"),
        ("source = 'x'\n[[stage]]\nrows = [{ name = 'New', colour = 'red' }]", "stage[1].rows[1].colour: unknown key"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_key(text: str, complaint: str) -> None:
    assert complaint in refusal(text)


def test_a_file_can_take_back_what_is_said_for_all_files() -> None:
    text = "source = 'x'\nskip_lines = 1\n" + USER + USER.replace("u.csv", "v-*.csv")
    text += "[files.'u.csv']\nskip_lines = 0\n[files.'v-1.csv']\nquote = \"'\""
    formats = read_mapping(tomllib.loads(text), Path("m.toml")).formats
    assert {name: each.skip_lines for name, each in formats.items()} == {"u.csv": 0, "v-1.csv": 1}


DOCS = Path(__file__).parent.parent.parent / "docs" / "import.md"
TEXTS = [DOCS.read_text("utf-8"), (DOCS.parent.parent / "README.md").read_text("utf-8")]
WORKED = [block for text in TEXTS for block in re.findall(r"```toml\n(.*?)```", text, re.S) if "source =" in block]


@pytest.mark.parametrize("text", WORKED, ids=lambda text: str(tomllib.loads(text)["source"]))
def test_the_examples_of_the_documentation_are_mappings(text: str) -> None:
    assert read_mapping(tomllib.loads(text), DOCS).sections


def test_the_first_example_reads_days_and_times_in_one_order() -> None:
    firsts = [text for text in WORKED if "acme-crm" in text]
    assert len(firsts) == 2
    for text in firsts:
        formats = tuple(tomllib.loads(text)["dates"])
        assert {as_date(cell, formats, UTC) for cell in ("03/04/2026", "03/04/2026 14:00")} == {date(2026, 4, 3)}


def test_a_mapping_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text("source = 'x'\n" + USER, "utf-8-sig")
    assert load_mapping(str(tmp_path / "m.toml")).source == "x"


def test_a_file_of_yours_goes_before_a_mapping_we_ship_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "canonical").write_text("source = 'mine'\n" + USER)
    monkeypatch.chdir(tmp_path)
    assert load_mapping("canonical").source == "mine"


def test_no_such_file_and_no_toml_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="nor is it a mapping we ship"):
        load_mapping("nowhere")
    broken = tmp_path / "m.toml"
    broken.write_text("source = ")
    with pytest.raises(MappingError, match=r"m\.toml: cannot be read as TOML"):
        load_mapping(str(broken))
