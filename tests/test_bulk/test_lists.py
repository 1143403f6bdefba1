"""Lists of addresses and forms, read within bounds."""

import pytest

from tasks.bulk.sources import buckets, forms, lists
from tasks.bulk.sources.found import PIECE_BYTES
from tasks.errors import BadBulkError, DownloadRefusedError
from tests.test_bulk.test_archives import window

URL = "https://example.org/a.jpg"
BOUNDARY = "xyz"


def part(name: str, filename: str, content: bytes) -> bytes:
    """Return one part of a form."""
    disposition = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"'
    return f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + content + b"\r\n"


@pytest.mark.parametrize(
    "text",
    [
        f'["{URL}", {{"image_url": "{URL}", "name": "b"}}]',
        f'{{"image_urls": ["{URL}", {{"image_url": "{URL}", "name": "b"}}]}}',
    ],
)
def test_a_json_list_names_addresses(text: str) -> None:
    """Alone or with the name that the client gives to a picture."""
    found = list(lists.of_json(window(text.encode())))

    assert [(each.name, each.url) for each in found] == [("a.jpg", URL), ("b", URL)]


@pytest.mark.parametrize("text", ["{}", "[", '"a"', '{"image_urls": 7}', "[" * 100_000])
def test_another_json_is_refused_as_a_whole(text: str) -> None:
    """With what there should be."""
    with pytest.raises(BadBulkError, match="JSON"):
        list(lists.of_json(window(text.encode())))


@pytest.mark.parametrize("element", ['"ftp://example.org/a"', "7", "{}", '"http://[::"'])
def test_an_element_that_is_no_address_fails_alone(element: str) -> None:
    """Its neighbour is taken."""
    bad, good = lists.of_json(window(f'[{element}, "{URL}"]'.encode()))

    assert isinstance(bad.error, DownloadRefusedError)
    assert good.url == URL


@pytest.mark.parametrize(
    "text",
    [
        f"{URL}\r\n\r\n{URL}\n",
        f'\ufeffname,image_url\na.jpg,{URL}\n"a.jpg",{URL}',
        f"IMAGE_URL\n{URL}\n{URL}\n",
    ],
)
def test_a_csv_list_names_addresses(text: str) -> None:
    """With a header or without, however its lines end."""
    found = list(lists.of_csv(window(text.encode())))

    assert [(each.name, each.url) for each in found] == [("a.jpg", URL)] * 2


def test_lines_of_a_list_may_be_anywhere_in_its_pieces() -> None:
    """A list is read a piece at a time."""
    count = 2 * PIECE_BYTES // len(URL)
    found = list(lists.of_csv(window(f"{URL}\n".encode() * count)))

    assert len(found) == count
    assert {each.url for each in found} == {URL}


@pytest.mark.parametrize("content", [b"x" * 3_000_000, b"\xff\xfe\xff"])
def test_a_csv_list_that_is_none_is_refused(content: bytes) -> None:
    """A line without an end is not kept in memory."""
    with pytest.raises(BadBulkError):
        list(lists.of_csv(window(content)))


@pytest.mark.parametrize("size", [0, 5, PIECE_BYTES - 3, PIECE_BYTES, 2 * PIECE_BYTES + 7])
def test_the_parts_of_a_form_are_where_they_lie(size: int) -> None:
    """Wherever its boundaries fall."""
    first = b"\r\n--xy" * (size // 6) + b"x" * (size % 6)
    body = part("image", "a.jpg", first) + part("image", "b.jpg", b"b") + b"--xyz--\r\n"
    found = list(forms.parts(window(body), BOUNDARY))

    assert [each.filename for each in found] == ["a.jpg", "b.jpg"]
    assert [body[each.start : each.start + each.length] for each in found] == [first, b"b"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form",
        part("image", "a.jpg", b"x"),
        part("image", "a.jpg", b"x")[:30],
        part("top_k", "a.jpg", b"3") + b"--xyz--",
        b"--xyz\r\n" + b"x" * 100_000,
    ],
)
def test_a_form_that_breaks_off_or_has_other_fields_is_refused(body: bytes) -> None:
    """What would be ignored is said."""
    with pytest.raises(BadBulkError):
        list(forms.parts(window(body), BOUNDARY))


@pytest.mark.parametrize(
    "place",
    ["s3://other/a", "s3://photographs", "s3://photographs/2027", "s3://photographs/2026/../x"],
)
def test_only_places_that_were_allowed_are_read(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is beside one, or above, is not."""
    monkeypatch.setenv("PETIOLE_TASKS_BULK_BUCKETS", "s3://photographs/2026, s3://more")

    with pytest.raises(BadBulkError, match="PETIOLE_TASKS_BULK_BUCKETS"):
        buckets.checked(place)
    assert buckets.checked("s3://photographs/2026/may") == "s3://photographs/2026/may/"
    assert buckets.checked("s3://more") == "s3://more/"
