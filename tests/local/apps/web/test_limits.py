"""What the page of `k2l web` takes over HTTP: how large, how many at once, and what it says when something breaks."""

import http.client
import threading
from urllib.parse import urlsplit

import cv2
import pytest

from local.apps.web import reading, serving
from local.apps.web.answers import Networks
from local.pictures import picture
from tests.local.digits.drawn_digits import drawn

PICTURE = cv2.imencode(".png", drawn(7))[1].tobytes()


@pytest.fixture
def told():
    """The lines for the terminal."""
    return []


@pytest.fixture
def served(told):
    """The page on a free port, in a thread."""
    begun = threading.Event()
    page = serving.Serving(Networks(), chosen="lite", choices=["lite"], port=0, told=told.append)
    thread = threading.Thread(target=page.serve, args=(begun.set,))
    thread.start()
    begun.wait(10)
    yield page
    page.stop()
    thread.join(10)
    page.close()


def sent(served, body, *, tab="Picture", chunked=False):
    """(status, text) of a picture's reading."""
    connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=20)
    try:
        connection.request("POST", f"/read?tab={tab}&network=lite", body, encode_chunked=chunked)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_not_taken(served, monkeypatch, chunked):
    monkeypatch.setattr(reading, "LARGEST", 100_000)
    body = (bytes(10_000) for _ in range(11)) if chunked else bytes(110_000)
    assert sent(served, body) == (413, "This file is too large: at most 0.1 MB.")
    assert sent(served, iter([PICTURE]) if chunked else PICTURE)[0] == 200


def test_all_bodies_together_have_a_limit_and_give_their_room_back(served, monkeypatch):
    monkeypatch.setattr(reading, "TOGETHER", 10_000)
    for _ in range(3):
        assert sent(served, bytes(11_000)) == (503, "Too many pictures at once: try again.")
    for _ in range(3):
        assert ">7</p>" in sent(served, PICTURE)[1]


def test_a_body_that_never_ends_is_given_up(served, monkeypatch):
    monkeypatch.setattr(reading, "PATIENCE", 0.05)
    connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=20)
    connection.putrequest("POST", "/read?tab=Picture&network=lite")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"\x89PNG")
    assert connection.getresponse().status == 408
    connection.close()


def test_pictures_take_turns(served, monkeypatch):
    """While the first is decoded, no other begins, though it has arrived."""
    begun, another, overlapped, shown = [], threading.Event(), [], picture.shown

    def one_at_a_time(data, *given, **options):
        begun.append(len(data))
        if len(begun) == 1:
            overlapped.append(another.wait(0.2))
        else:
            another.set()
        return shown(data, *given, **options)

    monkeypatch.setattr(picture, "shown", one_at_a_time)
    answers = []
    askers = [threading.Thread(target=lambda: answers.append(sent(served, PICTURE))) for _ in range(3)]
    for one in askers:
        one.start()
    for one in askers:
        one.join(20)
    assert overlapped == [False] and len(begun) == 3 and all(">7</p>" in text for _, text in answers)


def test_a_bomb_is_a_sentence(served):
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (14_100).to_bytes(4, "big") * 2 + bytes((16, 6, 0, 0, 0)) + bytes(4)
    for tab in ("Picture", "Draw", "Camera"):
        status, text = sent(served, header, tab=tab)
        assert status == 200 and "this picture: 14100x14100 pixels take 3.2 GB to decode" in text


def test_what_breaks_is_one_line_on_the_terminal_and_says_nothing_of_this_machine(served, told, monkeypatch, capfd):
    def broken(*_, **__):
        raise RuntimeError("/somewhere/private")

    monkeypatch.setattr(picture, "shown", broken)
    status, text = sent(served, PICTURE)
    assert status == 500 and "could not be read" in text and "somewhere" not in text and "RuntimeError" not in text
    assert told == ["error: a picture was not read: RuntimeError (k2l -vv web shows where)"]
    assert capfd.readouterr() == ("", "")


def test_an_empty_body_is_answered_with_what_to_do(served):
    for tab, hint in (("Draw", "Draw a digit"), ("Picture", "drop a picture"), ("Camera", "Start the camera")):
        assert hint in sent(served, b"", tab=tab)[1]
