"""CSV files in blocks: physical lines, and what cannot be read."""

import csv
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import reading
from jobs.mapping import FileFormat, MappingError
from jobs.reading import CsvFile
from jobs.rows import BadRow, Row


def read(path: Path, data: bytes, format_: FileFormat | None = None) -> tuple[list[tuple[int, Row]], list[BadRow]]:
    path.write_bytes(data)
    bad: list[BadRow] = []
    rows = [
        pair
        for block in CsvFile(path, format_ or FileFormat()).blocks(bad.append)
        for pair in zip(block.lines, block.rows, strict=True)
    ]
    return rows, bad


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deals.csv"


def test_a_row_knows_its_line_also_after_line_breaks_within_quotes(path: Path) -> None:
    rows, bad = read(path, b'\xef\xbb\xbfid,note\r\n1,"a\r\nb\nc"\r\n\r\n2,"d"\r\n3,e')
    assert rows == [(2, ["1", "a\r\nb\nc"]), (6, ["2", "d"]), (7, ["3", "e"])]
    assert bad == []


CELLS = st.text('a,"\r\n', max_size=4).map(lambda text: '"' + text.replace('"', '""') + '"')
ROWS = CELLS | st.sampled_from(["a", "", '"b"c', '"\r\n"c'])
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@given(rows=st.lists(st.tuples(ROWS, ENDS), max_size=12), block=st.integers(1, 4))
def test_lines_are_those_that_csv_counts_row_by_row(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], block: int) -> None:
    text = "id\n" + "".join(row + end for row, end in rows)
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    good, bad, line = [], [], 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error:
            bad.append(line)
        else:
            if row is None:
                break
            good += [(line, row)] if row and line > 1 else []
        line = reader.line_num + 1
    with patch.object(reading, "BLOCK_ROWS", block):
        found, reported = read(tmp_path_factory.mktemp("csv") / "deals.csv", text.encode())
    assert (found, [each.line for each in reported]) == (good, bad)


def test_what_cannot_be_read_is_reported_and_the_rest_is_read(path: Path) -> None:
    rows, bad = read(path, b'id,note\n1,a\n2\n3,"b"c\n4,\xff\n5,d\x00\n6,e,f\n7,g\n')
    assert [line for line, _ in rows] == [2, 8]
    assert sorted((each.line, each.column) for each in bad) == [(3, ""), (4, ""), (5, "note"), (6, "note"), (7, "")]
    reasons = "\n".join(map(str, bad))
    assert "deals.csv, line 3: has 1 fields, the header has 2" in reasons
    assert "deals.csv, line 5, note: holds bytes that are not utf-8" in reasons
    assert "deals.csv, line 6, note: holds a NUL character" in reasons


def test_a_file_that_ends_within_a_character_ends_with_a_bad_row(path: Path) -> None:
    rows, bad = read(path, "id,note\n1,a\n2,bü".encode()[:-1])
    assert rows == [(2, ["1", "a"])]
    assert list(map(str, bad)) == ["deals.csv, line 3, note: holds bytes that are not utf-8"]


def test_a_quote_that_is_never_closed_is_one_bad_row(path: Path) -> None:
    rows, bad = read(path, b'id,note\n1,a\n2,"b\n3,c\n')
    assert rows == [(2, ["1", "a"])]
    assert [each.line for each in bad] == [3]


def test_delimiters_quotes_encodings_and_lines_above_the_header_are_as_the_mapping_says(path: Path) -> None:
    form = FileFormat(encoding="cp1252", delimiter=";", quote="'", skip_lines=2)
    rows, bad = read(path, "Bericht\r\nvom 1.1.\r\nid;note\r\n1;'a;ü'\r\n".encode("cp1252"), form)
    assert (rows, bad) == ([(4, ["1", "a;ü"])], [])
    rows, _ = read(path, "id\tnote\n1\té\n".encode("utf-16"), FileFormat(encoding="utf-16", delimiter="\t"))
    assert rows == [(2, ["1", "é"])]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("header", [(), ("id", "note")])
def test_a_byte_order_mark_is_no_part_of_the_first_cell(path: Path, encoding: str, header: tuple[str, ...]) -> None:
    text = '\ufeff"id",note\n"1",a\n'
    rows, bad = read(path, text.encode(encoding.removesuffix("-sig")), FileFormat(encoding=encoding, header=header))
    assert rows == ([(1, ["id", "note"])] if header else []) + [(2, ["1", "a"])]
    assert bad == []
    assert CsvFile(path, FileFormat(encoding=encoding)).header == ("id", "note")


def test_a_cell_that_is_too_long_and_a_quote_that_is_not_closed_look_alike(path: Path) -> None:
    rows, bad = read(path, b"id,note\n1,a\n2," + b"x" * 1_000_001 + b"\n3,b\n")
    assert rows[0] == (2, ["1", "a"])
    assert str(bad[0]) == "deals.csv, line 3: has a cell of over 1,000,000 characters, or a quote that is never closed"


def test_a_file_without_a_header_gets_it_from_the_mapping(path: Path) -> None:
    rows, _ = read(path, b"1,a\n", FileFormat(header=("id", "note")))
    assert rows == [(1, ["1", "a"])]


def test_a_header_that_names_a_column_twice_is_replaced_as_the_message_says(path: Path) -> None:
    data = b"\nid,note,note\n1,a,b\n"
    path.write_bytes(data)
    told = r'say header = \[\.\.\.\] and skip_lines = 2 under \[files\."deals\.csv"\]$'
    with pytest.raises(MappingError, match=told):
        CsvFile(path, FileFormat()).place("note")
    rows, bad = read(path, data, FileFormat(header=("id", "note", "more"), skip_lines=2))
    assert (rows, bad) == ([(3, ["1", "a", "b"])], [])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("id,note\n".encode("utf-16"), r'^deals\.csv begins as UTF-16 does; say encoding = "utf-16"$'),
        (b"\xfe\xff\0i\0d", "begins as UTF-16 does"),
        (b"\x1f\x8b\x08\0", r"^deals\.csv is compressed \(gzip\); unpack it first$"),
        (b"PK\x03\x04\x14\0", r"^deals\.csv is a spreadsheet \(\.xlsx\) or another zip file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", r"^deals\.csv is a spreadsheet \(\.xls\)"),
    ],
)
def test_what_is_no_csv_or_of_another_encoding_is_told_by_how_it_begins(path: Path, data: bytes, told: str) -> None:
    with pytest.raises(MappingError, match=told):
        read(path, data)


def test_nothing_that_a_terminal_cannot_show_is_told(path: Path) -> None:
    path.write_bytes(b"i\0d,\xff\x1b[31m\n")
    with pytest.raises(MappingError, match=r"its columns are i\\x00d, \\udcff\\x1b\[31m$"):
        CsvFile(path, FileFormat()).place("amount")
    _, bad = read(path, b"\x1bid,note\n\xff,a\n")
    assert list(map(str, bad)) == ["deals.csv, line 2, \\x1bid: holds bytes that are not utf-8"]


def test_more_rows_than_a_block_keep_their_lines(path: Path) -> None:
    rows, _ = read(path, b"id\n" + b"".join(b"%d\n" % number for number in range(25_000)))
    assert all(int(row[0]) == line - 2 for line, row in rows)
    assert len(rows) == 25_000


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        (b"id,nota\n", "did you mean 'nota'"),
        (b"id;note\n", "is the delimiter ';'"),
        (b"id,note,note\n", "twice"),
        (b"a,b\n", "its columns are a, b"),
    ],
)
def test_a_column_that_is_not_there_comes_with_a_hint(path: Path, header: bytes, hint: str) -> None:
    path.write_bytes(header)
    with pytest.raises(MappingError, match=hint):
        CsvFile(path, FileFormat()).place("note")


def test_lines_above_the_header_that_are_not_in_the_encoding_are_refused(path: Path) -> None:
    with pytest.raises(MappingError, match=r"deals\.csv: its header cannot be read"):
        read(path, b"Report\nid,note\n", FileFormat(encoding="utf-16", skip_lines=1))


def test_an_empty_file_has_no_header(path: Path) -> None:
    with pytest.raises(MappingError, match="is empty"):
        read(path, b"")


def test_what_follows_bytes_that_cannot_be_decoded_is_told_to_be_missing(path: Path) -> None:
    rows, bad = read(path, "id,note\n1,a\n2,b\n".encode("utf-16")[:-1], FileFormat(encoding="utf-16"))
    assert rows == [(2, ["1", "a"])]
    assert [str(each).partition(" not utf-16: ")[0] for each in bad] == ["deals.csv, line 3: what follows is"]


def test_blanks_around_the_names_of_columns_are_no_part_of_them(path: Path) -> None:
    path.write_bytes(b" id , note\n1,a\n")
    assert CsvFile(path, FileFormat()).header == ("id", "note")


def test_columns_without_a_name_are_not_told_to_be_unused(path: Path) -> None:
    path.write_bytes(b"id,,note,\n1,,a,\n")
    assert CsvFile(path, FileFormat()).unused() == ["id", "note"]


def test_a_file_in_utf_32_is_read_and_not_taken_for_utf_16(path: Path) -> None:
    rows, bad = read(path, "id,note\n1,ü\n".encode("utf-32"), FileFormat(encoding="utf-32"))
    assert (rows, bad) == ([(2, ["1", "ü"])], [])


def test_what_cannot_be_opened_and_a_header_without_an_end_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(MappingError, match=r"folder\.csv: cannot be read: Is a directory$"):
        CsvFile(tmp_path / "folder.csv", FileFormat())
    (tmp_path / "long.csv").write_bytes(b'id,"' + b"x" * 1_000_001)
    with pytest.raises(MappingError, match=r"^long\.csv: its header cannot be read: field larger"):
        CsvFile(tmp_path / "long.csv", FileFormat())
