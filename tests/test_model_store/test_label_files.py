"""Labels in every form that people have them in: the same three labels, or a sentence."""

from pathlib import Path

import pytest

from model_store.errors import ModelFormatError
from model_store.importers import labels

EXPECTED = ("tulip", "Gänseblümchen", "rose")
PLAIN = "tulip\nGänseblümchen\nrose\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.txt", PLAIN.encode()),
        ("labels.txt", b"\xef\xbb\xbf" + PLAIN.encode()),
        ("labels.txt", PLAIN.encode("utf-16")),
        ("labels.txt", PLAIN.encode("utf-16-le")),
        ("labels.txt", b"\xfe\xff" + PLAIN.encode("utf-16-be")),
        ("labels.txt", PLAIN.replace("\n", "\r\n").encode()),
        ("labels.txt", b"\n" + PLAIN.replace("\n", "\n\n  \n").encode()),
        ("labels.txt", "0 tulip\n1 Gänseblümchen\n2 rose".encode()),
        ("labels.txt", "1: tulip\n2: Gänseblümchen\n3: rose".encode()),
        ("labels.txt", "2 rose\n0 tulip\n1 Gänseblümchen".encode()),
        ("labels.json", '["tulip", "Gänseblümchen", "rose"]'.encode()),
        ("labels.json", '{"1": "Gänseblümchen", "0": "tulip", "2": "rose"}'.encode()),
        ("labels.json", '{"rose": 2, "tulip": 0, "Gänseblümchen": 1}'.encode()),
        (
            "labels.json",
            '{"0": ["n1","tulip"],"1":["n2","Gänseblümchen"],"2":["n3","rose"]}'.encode(),
        ),
        ("labels.json", '{"id2label": {"0":"tulip","1":"Gänseblümchen","2":"rose"}}'.encode()),
        ("labels.csv", ("label\n" + PLAIN).encode()),
        (
            "labels.csv",
            b"\xef\xbb\xbf" + "id;name\r\n1;Gänseblümchen\r\n0;tulip\r\n2;rose".encode(),
        ),
        ("labels.csv", 'tulip,0\n"Gänseblümchen",1\nrose,2\n'.encode("utf-16")),
    ],
)
def test_labels_are_read_in_every_form(name: str, content: bytes, tmp_path: Path) -> None:
    """Encoding, line ends, numbers and blank lines are no part of a label."""
    (tmp_path / name).write_bytes(content)

    assert labels.find(None, tmp_path, classes=3) == EXPECTED


def test_numbers_that_belong_to_labels_stay(tmp_path: Path) -> None:
    """Only numbers that count from 0 or 1 are taken off."""
    (tmp_path / "labels.txt").write_text("10 euros\n20 euros\n")

    assert labels.read(tmp_path / "labels.txt") == ("10 euros", "20 euros")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.txt", "Gänseblümchen\n".encode("cp1252"), "iconv -f WINDOWS-1252 -t UTF-8"),
        ("a.txt", b"rose\n\nrose\n", "line 1 and line 3 are both 'rose'"),
        (
            "a.json",
            b'{"0": "tulip", "2": "rose"}',
            "the numbers are 0, 2; expected each from 0 to 1",
        ),
        ("a.json", b"[1, 2]", "expected a list"),
        ("a.json", b"[", "are no JSON"),
        ("a.csv", b"rose,red,1\n", "lines have 3 columns"),
    ],
)
def test_what_is_no_list_of_labels_is_refused(
    name: str, content: bytes, sentence: str, tmp_path: Path
) -> None:
    """The sentence says what was found and what mends it."""
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ModelFormatError) as caught:
        labels.read(tmp_path / name)
    assert sentence in str(caught.value)
