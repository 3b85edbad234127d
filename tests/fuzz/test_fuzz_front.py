"""The HTTP front of a real server process, spoken to by raw sockets.

Whatever comes, it answers below 500 or hangs up, goes on serving others, believes no framing that means two things,
and keeps neither memory nor descriptors.
"""

import os
import random
import re
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
import pytest
from test_process import process

SECONDS = float(os.environ.get("FUZZ_SECONDS", "600"))
"""Of the long form."""

PATIENCE = 15.0
"""Seconds within which a request that is whole is answered, on a machine that does other things too."""
SILENCE = 0.25
"""After which a connection that waits for more is left by the fuzzer."""
MOST_GROWTH = 48 * 2**20
"""Bytes that the process may grow by: allocators keep some, whatever comes."""


class Server(NamedTuple):
    process: psutil.Process
    address: tuple[str, int]
    log: Path

    def serves(self) -> bool:
        answer = httpx.get("http://{}:{}/livez".format(*self.address), timeout=PATIENCE)
        return answer.status_code == 200


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("front")
    with (folder / "log").open("wb") as log, process(folder / "data", stderr=log) as (child, url):
        address = httpx.URL(url)
        yield Server(psutil.Process(child.pid), (address.host, address.port or 0), folder / "log")
    assert trace_in(folder / "log") == ""


def trace_in(log: Path) -> str:
    """The end of the first trace that a log has."""
    _, found, rest = log.read_text(errors="replace").partition("Traceback")
    return found and rest.partition(" WARNING ")[0][-3000:]


class Said(NamedTuple):
    """What came back: the statuses, whether the server hung up, and the ids of the requests that were answered."""

    statuses: list[int]
    closed: bool
    ids: list[bytes]


def say(server: Server, *pieces: bytes, patience: float = PATIENCE, answers: int = 1) -> Said:
    """Send some bytes, and listen until so many answers came, the server hangs up or nothing comes any more."""
    with closing(socket.create_connection(server.address, timeout=PATIENCE)) as raw:
        came, closed = b"", False
        try:
            for piece in pieces:
                raw.sendall(piece)
            raw.settimeout(patience)
            while not closed and len(STATUS.findall(came)) < answers:
                part = raw.recv(2**16)
                came, closed = came + part, not part
        except TimeoutError:
            pass
        except OSError:
            closed = True
    return Said([int(status) for status in STATUS.findall(came)], closed, IDS.findall(came))


STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
IDS = re.compile(rb"x-request-id: (?!req_)(\S+)")
"""Ids that requests brought; the server's own begin with `req_`."""

WHOLE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: whole\r\n\r\n"
SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: smuggled\r\n\r\n"
POST = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
NOTHING = b"0\r\n\r\n"

AMBIGUOUS = {
    "length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + NOTHING,
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + NOTHING,
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 60\r\n\r\n{}",
    "a list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "a signed length": POST + b"Content-Length: +2\r\n\r\n{}",
    "a negative length": POST + b"Content-Length: -2\r\n\r\n{}",
    "a length in hexadecimal": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "a length of 24 digits": POST + b"Content-Length: 999999999999999999999999\r\n\r\n{}",
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n{}",
    "a coding that is none": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + NOTHING,
    "chunks inside identity": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + NOTHING,
    "two codings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + NOTHING,
    "a blank before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n" + NOTHING,
    "a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + NOTHING,
    "a quoted coding": POST + b'Transfer-Encoding: "chunked"\r\n\r\n' + NOTHING,
    "a folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + NOTHING,
    "a folded header": POST + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "line feeds alone": (POST + b"Content-Length: 2\r\n\r\n{}").replace(b"\r\n", b"\n"),
    "a carriage return alone": POST + b"X: a\rContent-Length: 2\r\n\r\n",
    "a NUL in a value": POST + b"X: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "a NUL in a name": POST + b"Content-Le\x00ngth: 2\r\n\r\n{}",
    "a negative chunk": CHUNKED + b"-1\r\n{}\r\n" + NOTHING,
    "a chunk of 0x2": CHUNKED + b"0x2\r\n{}\r\n" + NOTHING,
    "a chunk of 72 bits": CHUNKED + b"ffffffffffffffffff\r\n{}\r\n" + NOTHING,
    "a chunk longer than it says": CHUNKED + b"2\r\n{}{}\r\n" + NOTHING,
    "chunks without line ends": CHUNKED + b"2\r\n{}0\r\n\r\n",
    "chunks with line feeds": CHUNKED + b"2\n{}\n0\n\n",
    "a blank after a chunk's size": CHUNKED + b"2 \r\n{}\r\n" + NOTHING,
    "a length in a trailer": CHUNKED + b"2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n",
}
"""Bodies of which two servers might see two ends."""


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_body_that_could_end_in_two_places_is_refused_and_nothing_after_it_is_read(server: Server, name: str) -> None:
    said = say(server, AMBIGUOUS[name] + SMUGGLED, answers=2)
    assert said == Said([400], True, [])


REFUSED = {
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": b"GET /livez HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500,
    "all bytes": bytes(range(256)) * 4,
    "an unknown method": b"BREW /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a method in small letters": b"get /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no address": b"GET  HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a NUL in the address": b"GET /liv\x00ez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no ASCII in the address": b"GET /liv\xff\xfeez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an address of a broken host": b"GET http://[::1/livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an address of no port": b"GET http://a:99999999/livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an address of 100,000 bytes": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a tunnel": b"CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_request_is_refused_and_hung_up_on(server: Server, name: str) -> None:
    said = say(server, REFUSED[name], answers=2)
    assert said.closed
    assert set(said.statuses) <= {400, 414, 431}


ODD = {
    "an address of percents": b"GET /v1/jobs/%zz%00%ff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a query of percents": b"GET /v1/jobs?after=%zz%00%ff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a path that climbs": b"GET /v1/../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a climb in percents": b"GET /docs/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "the server as a whole": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no host": b"GET /v1/nothing HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /v1/nothing HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a strange method": b"SOURCE /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a socket of the web": b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "another protocol": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "an odd expectation": POST + b"Expect: 200-maybe\r\nContent-Length: 2\r\n\r\n{}",
    "ten thousand headers": b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
    + b"".join(b"A%d: b\r\n" % i for i in range(10_000))
    + b"\r\n",
    "a header of a megabyte": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nA: " + b"b" * 2**20 + b"\r\n\r\n",
    "a chunk's extension of 100,000 bytes": CHUNKED + b"2;" + b"a" * 100_000 + b"\r\n{}\r\n" + NOTHING,
    "a body of single bytes": CHUNKED + b"1\r\n{\r\n" * 5_000 + NOTHING,
    "ranges": b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nRange: bytes=" + b"0-," * 1000 + b"0-\r\n\r\n",
    "types of all kinds": b"GET /v1/jobs/x/events HTTP/1.1\r\nHost: localhost\r\nAccept: "
    + b"a/b;q=0.1," * 2000
    + b"*/*\r\n\r\n",
    "an old protocol": b"GET /livez HTTP/1.0\r\n\r\n",
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_and_yet_a_request_is_answered_below_500(server: Server, name: str) -> None:
    said = say(server, ODD[name])
    assert said.statuses or said.closed
    assert all(status < 500 for status in said.statuses)
    assert server.serves()


def test_requests_one_after_the_other_are_answered_in_their_order(server: Server) -> None:
    requests = b"".join(WHOLE.replace(b"whole", b"number-%d" % i) for i in range(300))
    said = say(server, requests, answers=300)
    assert said.statuses == [200] * 300
    assert said.ids == [b"number-%d" % i for i in range(300)]


def test_rubbish_behind_requests_ends_them_without_a_trace(server: Server) -> None:
    """The first is being answered, in a thread, when the connection ends; the second waits behind it."""
    slow = POST + b"Content-Length: 2\r\n\r\n{}"
    for _ in range(20):
        said = say(server, slow + WHOLE + b"\x00rubbish\r\n\r\n", answers=4)
        assert said.closed
        assert said.statuses[-1] == 400
    assert server.serves()
    assert trace_in(server.log) == ""


def test_a_caller_who_resets_the_connection_before_the_answer_leaves_no_trace(server: Server) -> None:
    for number in range(100):
        with socket.create_connection(server.address, timeout=PATIENCE) as raw:
            raw.sendall((POST + b"Content-Length: 2\r\n\r\n{}") * (1 + number % 3))
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            time.sleep(number % 10 / 1000)
    assert server.serves()
    assert trace_in(server.log) == ""


def test_a_head_without_end_is_cut_off_in_little_memory(server: Server) -> None:
    pytest.importorskip("service.front", reason="nothing bounds a head here")
    before, sent = server.process.memory_info().rss, 0
    with closing(socket.create_connection(server.address, timeout=PATIENCE)) as raw, suppress(OSError):
        raw.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n")
        while sent < 2**27:
            raw.sendall(b"A: " + b"b" * 2**16 + b"\r\n")
            sent += 2**16
    assert sent < 2**27
    assert server.process.memory_info().rss - before < MOST_GROWTH


def test_others_are_served_while_a_hundred_send_slowly(server: Server) -> None:
    starts = (POST + b"Content-Length: 100\r\n\r\n{", CHUNKED + b"5\r\n{", b"GET /li", POST, b"")
    held = [socket.create_connection(server.address, timeout=PATIENCE) for _ in range(100)]
    try:
        for number, raw in enumerate(held):
            raw.sendall(starts[number % len(starts)])
        for _ in range(3):
            assert server.serves()
            for number, raw in enumerate(held[:40]):
                if number % len(starts) in (0, 1):
                    raw.sendall(b" ")
    finally:
        for raw in held:
            raw.close()


# ---- at random ----


def mutant(draw: random.Random) -> list[bytes]:
    """Requests, damaged, joined and cut into pieces."""
    good = [*AMBIGUOUS.values(), *REFUSED.values(), *ODD.values(), WHOLE, POST + b"Content-Length: 2\r\n\r\n{}"]
    small = [one for one in good if len(one) < 5000]
    data = bytearray(b"".join(draw.choices(small, k=draw.choice((1, 1, 2, 3)))))
    for _ in range(draw.choice((0, 1, 1, 2, 5))):
        at, kind = draw.randrange(len(data) + 1), draw.randrange(4)
        if kind == 0:
            data[at:at] = draw.choice(
                (b"\r\n", b"\n", b"\x00", b":", b" ", b"\t", b"\xff", b";", b"%", b"\r\n\r\n", b"0\r\n")
            )
        elif kind == 1:
            data[at : at + 1] = bytes([draw.randrange(256)])
        elif kind == 2:
            del data[at : at + draw.choice((1, 2, 10))]
        else:
            del data[at:]
    cuts = sorted(draw.randrange(len(data) + 1) for _ in range(draw.choice((0, 0, 1, 3))))
    edges = [0, *cuts, len(data)]
    return [bytes(data[a:b]) for a, b in pairwise(edges)]


def fuzzed(server: Server, number: int, count: int) -> Counter[str]:
    """What became of so many connections, eight at a time; the process is as it was before."""
    draw = random.Random(number)
    conversations = [mutant(draw) for _ in range(count)]
    with ThreadPoolExecutor(8) as pool:
        heard = list(pool.map(lambda pieces: say(server, *pieces, patience=SILENCE, answers=100), conversations))
    for pieces, said in zip(conversations, heard, strict=True):
        assert all(status < 500 for status in said.statuses), (said, pieces)
    assert server.serves()
    came = Counter(str(status) for said in heard for status in said.statuses)
    return came + Counter("closed" if said.closed else "waits" for said in heard)


def descriptors(server: Server, at_most: int) -> int:
    """How many there are, once they are no more than that, or after a while."""
    until = time.monotonic() + 10
    while (found := server.process.num_fds()) > at_most and time.monotonic() < until:
        time.sleep(0.1)
    return found


def steady(server: Server, rounds: Iterator[int], count: int) -> Counter[str]:
    """Rounds of the fuzzer, after a first that warms the process up."""
    came = fuzzed(server, -1, count)
    memory, fds = server.process.memory_info().rss, server.process.num_fds()
    for number in rounds:
        came += fuzzed(server, number, count)
    assert descriptors(server, fds) <= fds + 2
    assert server.process.memory_info().rss - memory < MOST_GROWTH
    return came


def test_hundreds_of_damaged_requests_are_answered_below_500_or_hung_up_on(server: Server) -> None:
    came = steady(server, iter(range(2)), 100)
    assert {"200", "400", "404", "closed"} <= set(came)


@pytest.mark.fuzz_long
@pytest.mark.timeout(SECONDS + 600)
def test_minutes_of_damaged_requests_are_answered_below_500_or_hung_up_on(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    until, number = time.monotonic() + SECONDS, 1000

    def rounds() -> Iterator[int]:
        nonlocal number
        while time.monotonic() < until:
            number += 1
            yield number

    came = steady(server, rounds(), 500)
    with capsys.disabled():
        print(f"\n{(number - 999) * 500} connections, {dict(came)}")  # noqa: T201  # what the documentation quotes
