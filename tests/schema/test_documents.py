"""Trusted documents: what is in the folder, how each is found, and what stops the start."""

import hashlib
from pathlib import Path

import pytest
from graphql import SourceLocation

from schema.build import build_schema
from schema.documents import FOLDER, DocumentsError, TrustedDocuments, same_ids
from schema.limits import Limits
from schema.operation import CACHED_CHARACTERS, LONGEST_CACHED, Executable, document_id

STAGES = "query Stages {\n  stages { id }\n}\n"


@pytest.fixture(scope="module")
def executable() -> Executable:
    return Executable(build_schema())


def folder_of(folder: Path, **texts: str | bytes) -> Path:
    """The folder with these documents."""
    for name, text in texts.items():
        (folder / f"{name}.graphql").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("query($id:ID!){user(id:$id){name}}", "71f7dc5758652baac68e4a10c50be732b741c892ade2883a99358f52b555286b"),
        (
            "query ($id: ID!) {\n  user(id: $id) {\n    name\n  }\n}",
            "7dba4bd717b41f10434822356a93c32b1fb4907b983e854300ad839f84cdcd6e",
        ),
        ("{__typename}", "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"),
    ],
)
def test_an_id_is_the_hash_of_the_exact_text_as_the_specification_has_it(text: str, digest: str) -> None:
    assert document_id(text) == f"sha256:{digest}"


def test_each_of_our_documents_is_found_by_every_one_of_its_names(executable: Executable) -> None:
    trusted = TrustedDocuments(executable)
    paths = list(FOLDER.glob("*.graphql"))
    assert len(paths) >= 14
    for path in paths:
        exact = path.read_bytes()
        document = trusted.of_operation(path.stem)
        assert document is not None
        assert (document.is_trusted, document.errors) == (True, ())
        assert document.id == f"sha256:{hashlib.sha256(exact).hexdigest()}"
        for text in (exact, exact.rstrip(b"\n")):
            digest = hashlib.sha256(text).hexdigest()
            assert trusted.of_id(f"sha256:{digest}") is document
            assert trusted.of_id(digest) is document
            assert trusted.of_text(text.decode()) is document


def test_nothing_else_is_found(executable: Executable, tmp_path: Path) -> None:
    trusted = TrustedDocuments(executable, folder_of(tmp_path, Stages=STAGES))
    digest = hashlib.sha256(STAGES.encode()).hexdigest()
    for name in ("", "Stages", "sha256:", f"sha256:{digest.upper()}", digest.upper(), digest[:-1], f" {digest}", f"sha1:{digest}", "../Stages"):
        assert trusted.of_id(name) is None
    for text in ("", STAGES + "\n", " " + STAGES, STAGES.replace("\n", "\r\n")):
        assert trusted.of_text(text) is None
    for name in ("", "stages", "Stages ", "None"):
        assert trusted.of_operation(name) is None


def test_everything_that_is_wrong_in_the_folder_is_told_at_once(executable: Executable, tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        Fine=STAGES.replace("Stages", "Fine"),
        Named=STAGES,
        Nothing="fragment F on Stage { id }\n",
        Parse="query Parse {\n  stages {\n",
        Two="query Two { stages { id } }\nquery Other { stages { id } }\n",
        Unknown="query Unknown {\n  stages { id colour }\n  nothing\n}\n",
        Bytes=b"query Bytes { stages { id } } # \xff",
    )
    with pytest.raises(DocumentsError) as told:
        TrustedDocuments(executable, folder)
    lines = str(told.value).replace(folder.name, "documents").splitlines()
    assert [line.split(" ", 1)[0] for line in lines] == [
        "documents/Bytes.graphql:",
        "documents/Named.graphql:",
        "documents/Nothing.graphql:1:1:",
        "documents/Parse.graphql:3:1:",
        "documents/Two.graphql:",
        "documents/Unknown.graphql:2:15:",
        "documents/Unknown.graphql:3:3:",
    ]
    assert "must have one operation, Named, and has Stages" in lines[1]
    assert "must have one operation, Two, and has Two, Other" in lines[4]
    assert "colour" in lines[5]


def test_a_file_comes_before_what_is_stored_and_of_two_stored_with_one_name_neither_has_it(
    executable: Executable, tmp_path: Path
) -> None:
    trusted = TrustedDocuments(executable, folder_of(tmp_path, Stages=STAGES))
    file = trusted.of_operation("Stages")
    others = [f"query {name} {{ stages {{ {field} }} }}" for name in ("Stages", "Other") for field in ("id", "name")]
    for number, text in enumerate(others[:3]):
        trusted.put(f"id-{number}", text)
    assert trusted.of_operation("Stages") is file
    only = trusted.of_operation("Other")
    assert only is not None
    assert only is trusted.of_id("id-2") is trusted.of_id(document_id(others[2])) is trusted.of_text(others[2])
    trusted.put("id-3", others[3])
    assert trusted.of_operation("Other") is None
    assert trusted.of_id("id-3") is not None


def test_what_is_no_longer_stored_is_forgotten_and_the_rest_is_not_read_again(
    executable: Executable, tmp_path: Path
) -> None:
    trusted = TrustedDocuments(executable, folder_of(tmp_path, Stages=STAGES))
    kept, gone = "query Kept { stages { id } }", "query Gone { stages { id } }"
    before = trusted.put("kept", kept)
    trusted.put("gone", gone)
    assert trusted.replace({"kept": kept, "too": kept}), "one is gone"
    assert not trusted.replace({"kept": kept, "too": kept, "new": kept}), "none is gone"
    assert trusted.of_id("kept") is trusted.of_id("too") is trusted.of_operation("Kept") is before
    for found in (trusted.of_id("gone"), trusted.of_text(gone), trusted.of_operation("Gone"), trusted.of_id(document_id(gone))):
        assert found is None
    trusted.replace({})
    assert trusted.of_id("kept") is None
    assert trusted.of_operation("Stages") is not None


def test_a_trusted_document_may_be_longer_than_what_clients_send(executable: Executable, tmp_path: Path) -> None:
    text = "query Long { deals(filter: {stageIds: [" + '"x" ' * 3_000 + "]}) { totalCount } }"
    assert executable.document(text).node is None
    trusted = TrustedDocuments(executable, folder_of(tmp_path, Long=text))
    document = trusted.of_operation("Long")
    assert document is not None and document.node is not None


def test_what_has_two_operations_is_not_found_by_the_name_of_the_first(executable: Executable, tmp_path: Path) -> None:
    trusted = TrustedDocuments(executable, folder_of(tmp_path, Stages=STAGES))
    trusted.put("two", "query One { stages { id } } query Two { stages { id } }")
    assert trusted.of_operation("One") is None


def test_what_is_stored_is_held_to_no_limits_of_clients_and_takes_no_name_of_a_file(
    executable: Executable, tmp_path: Path
) -> None:
    trusted = TrustedDocuments(executable, folder_of(tmp_path, Stages=STAGES))
    wide = "{" + " ".join(f"a{at}: stages {{ id }}" for at in range(Limits().aliases + 1)) + "}"
    assert executable.document(wide).errors != ()
    assert trusted.put("wide", wide).errors == ()
    trusted.put(document_id(STAGES), "query Stages { stages { name } }")
    assert trusted.of_id(document_id(STAGES)) is trusted.of_operation("Stages") is trusted.of_text(STAGES)


def test_what_clients_send_is_remembered_while_there_is_room_and_the_one_not_asked_for_longest_goes_first() -> None:
    executable = Executable(build_schema())
    texts = ["query First { stages { id } }", "query Second { stages { id } }"]
    first, second = map(executable.document, texts)
    for number in range(CACHED_CHARACTERS // LONGEST_CACHED + 1):
        assert executable.document(texts[0]) is first
        executable.document(f"query Long{number} {{ stages {{ id }} }}".ljust(LONGEST_CACHED))
    assert executable.document(texts[0]) is first
    assert executable.document(texts[1]) is not second
    too_long = texts[0].ljust(LONGEST_CACHED + 1)
    assert executable.document(too_long) is not executable.document(too_long)


def test_a_text_that_is_too_long_is_not_read_unless_it_is_trusted() -> None:
    executable = Executable(build_schema())
    text = "{ stages { id } } #".ljust(Limits().bytes)
    assert executable.document(text).errors == ()
    (error,) = executable.document(text + "é").errors
    assert (error.extensions, error.locations) == ({"code": "DOCUMENT_TOO_LONG"}, [SourceLocation(1, 1)])
    assert error.message == "The document has 100,002 bytes; 100,000 is the limit. Send long texts as variables."
    assert executable.read(text + "é", is_trusted=True).errors == ()


def test_what_cannot_be_an_id_is_none() -> None:
    for name in ("", "a b", "a/b", "ä", "a\0", "a\n", "x" * 201, "\u2028"):
        assert same_ids(name) == ()
    assert same_ids("x" * 200) == ("x" * 200,)
    assert same_ids("a" * 64) == ("sha256:" + "a" * 64, "a" * 64)
