"""The multipart reader: the same form however it is cut into chunks."""

import pytest

from gan.errors import InvalidRequest, MalformedRequest, UnsupportedMedia
from service.uploads import DATASETS, FormReader, boundary_of, suffix_of

BODY = (
    b"--b\r\n"
    b'Content-Disposition: form-data; name="name"\r\n\r\n'
    b"d\xc3\xa9j\xc3\xa0\r\n"
    b"--b\r\n"
    b'content-disposition: form-data; name="file"; filename="a b.ZIP"\r\nContent-Type: application/zip\r\n\r\n'
    b"PK\r\n--c\r\n-- b\r\nrest\r\n"
    b"--b--\r\n"
)
CONTENT = b"PK\r\n--c\r\n-- b\r\nrest"


def read(*chunks: bytes) -> tuple[FormReader, bytes]:
    reader, content = FormReader(b"b", ["name"], DATASETS), b""
    for chunk in chunks:
        reader.feed(chunk)
        content += reader.take()
    reader.finish()
    return reader, content


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 16, 64, 1000])
def test_the_chunks_do_not_matter(size: int) -> None:
    reader, content = read(*(BODY[start : start + size] for start in range(0, len(BODY), size)))
    assert content == CONTENT
    assert reader.fields == {"name": "déjà"}
    assert reader.suffix == ".zip"


@pytest.mark.parametrize("end", range(0, len(BODY) - 4, 7))
def test_a_form_that_stops_anywhere_is_malformed(end: int) -> None:
    with pytest.raises(MalformedRequest):
        read(BODY[:end])


def test_a_part_without_a_name_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        read(b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n")


def test_headers_without_end_are_refused() -> None:
    reader = FormReader(b"b", [], DATASETS)
    with pytest.raises(MalformedRequest):
        reader.feed(b"--b\r\n" + b"X: y\r\n" * 10_000)
    reader = FormReader(b"b", [], DATASETS)
    with pytest.raises(MalformedRequest):
        reader.feed(b"--b\r\nX: " + b"y" * 100_000)


def test_a_boundary_is_read_quoted_or_not_and_needed() -> None:
    assert boundary_of('multipart/form-data; boundary="a b"') == b"a b"
    assert boundary_of("multipart/form-data; charset=utf-8; boundary=xyz") == b"xyz"
    with pytest.raises(MalformedRequest):
        boundary_of("multipart/form-data")


@pytest.mark.parametrize(("name", "suffix"), [("a.npy", ".npy"), ("dir/b.CSV", ".csv"), ("x.tar.zip", ".zip")])
def test_a_files_name_says_what_it_is(name: str, suffix: str) -> None:
    assert suffix_of(name, DATASETS) == suffix


@pytest.mark.parametrize("name", ["", "zip", "a.zip.exe", "a.tar.gz", "../../.bashrc"])
def test_any_other_file_is_not_read(name: str) -> None:
    with pytest.raises(UnsupportedMedia):
        suffix_of(name, DATASETS)
