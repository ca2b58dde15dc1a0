"""Cursors: what was sealed is read back, and nothing else is."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cursor import MAX_BYTES, CursorCodec, Position
from core.errors import InvalidCursor

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
positions = st.builds(Position, st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.uuids())
bindings = st.binary(max_size=50)


@given(position=positions, binding=bindings)
def test_a_cursor_reads_back_as_its_position(position: Position, binding: bytes) -> None:
    codec = CursorCodec([NEW])
    cursor = codec.encode(position, binding)
    assert codec.decode(cursor, binding) == position
    assert codec.encode(position, binding) == cursor
    assert len(cursor) <= MAX_BYTES * 4 / 3 + 1
    assert cursor.isascii()
    assert position.key not in cursor or len(position.key) < 8


@given(position=positions, binding=bindings, other=bindings)
def test_a_cursor_opens_in_its_own_list_only(position: Position, binding: bytes, other: bytes) -> None:
    codec = CursorCodec([NEW])
    if binding != other:
        with pytest.raises(InvalidCursor, match="does not belong to this list"):
            codec.decode(codec.encode(position, binding), other)


@given(position=positions, place=st.integers(0), letter=st.characters())
def test_a_changed_cursor_does_not_open(position: Position, place: int, letter: str) -> None:
    codec = CursorCodec([NEW])
    cursor = codec.encode(position, b"")
    place %= len(cursor)
    changed = cursor[:place] + letter + cursor[place + 1 :]
    if changed != cursor:
        with pytest.raises(InvalidCursor):
            codec.decode(changed, b"")


@given(text=st.text())
def test_no_other_text_opens(text: str) -> None:
    with pytest.raises(InvalidCursor):
        CursorCodec([NEW]).decode(text, b"")


def test_a_rotated_key_still_opens_older_cursors_and_seals_no_new_ones() -> None:
    position = Position("a", UUID(int=1))
    before, during, after = CursorCodec([OLD]), CursorCodec([NEW, OLD]), CursorCodec([NEW])
    cursor = before.encode(position, b"list")
    assert during.decode(cursor, b"list") == position
    assert after.decode(during.encode(position, b"list"), b"list") == position
    with pytest.raises(InvalidCursor):
        after.decode(cursor, b"list")


def test_another_versions_cursor_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = CursorCodec([NEW])
    with monkeypatch.context() as patch:
        patch.setattr("core.cursor.VERSION", b"\x02")
        cursor = codec.encode(Position("a", UUID(int=1)), b"")
    with pytest.raises(InvalidCursor, match="another version"):
        codec.decode(cursor, b"")


@pytest.mark.parametrize("keys", [[], [b"short"]])
def test_keys_of_another_length_are_refused(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        CursorCodec(keys)
