"""`k2l web` as a person meets it: in a process of its own, in a real Chromium, with mouse, file and camera."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
from urllib.parse import urlsplit

import cv2
import pytest

from local.core import workspace
from tests.local.digits.drawn_digits import page

# The verb; what its process resolves, connects to, or writes once it serves is printed: there must be nothing.
WATCHED = """
import os, sys
serving = False
def watch(event, arguments):
    global serving
    if event == "socket.listen" or (event == "open" and str(arguments[0]).endswith("page.html")):
        serving = True
    if event in ("socket.getaddrinfo", "socket.connect", "socket.gethostbyname"):
        print("CALLED", event, arguments[-1] if event == "socket.connect" else arguments, file=sys.stderr, flush=True)
    if event == "open" and "hidden.png" in str(arguments[0]):
        print("OPENED", arguments[0], file=sys.stderr, flush=True)
    if serving and event in ("os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink"):
        print("CHANGED", event, arguments, file=sys.stderr, flush=True)
    if serving and event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR) and arguments[0] != os.devnull:
        print("WRITTEN", arguments[0], file=sys.stderr, flush=True)
sys.addaudithook(watch)
sys.argv = ["k2l", *sys.argv[1:]]
from scripts.__main__ import main
main()
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Where the page may write."""
    return tmp_path_factory.mktemp("web")


@pytest.fixture(scope="module")
def served(kept):
    """The address of a page on a free port; in the end Ctrl-C, and it had nothing else to say."""
    environment = {**os.environ, "TMPDIR": str(kept), "HOME": str(kept), "PYTHONDONTWRITEBYTECODE": "1"}
    running = subprocess.Popen(
        [sys.executable, "-c", WATCHED, "web", "--port", "0", "--model", "camera"],
        cwd=workspace.CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = running.stderr.readline()
    try:
        assert said.startswith("k2l web: http://127.0.0.1:"), said + running.communicate(timeout=5)[1]
        yield said.split()[2]
    finally:
        running.send_signal(signal.SIGINT)
        out, more = running.communicate(timeout=20)
    assert (running.returncode, out, more.strip()) == (0, "", "the page is closed")


@pytest.fixture(scope="module")
def chromium(kept):
    """A browser without a window; its camera shows a page with 12 above 7."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not (browser and shutil.which("chromedriver")):
        pytest.skip("chromium and chromedriver are not installed: no browser to look with")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: no hand on the browser")
    sheet = cv2.copyMakeBorder(page("12", "7"), 40, 40, 120, 120, cv2.BORDER_CONSTANT, value=220)
    frame = cv2.imencode(".jpg", cv2.resize(sheet, (640, 480)))[1].tobytes()
    (kept / "camera.mjpeg").write_bytes(30 * frame)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in (
        "headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-background-networking", "window-size=1280,900",
        "use-fake-ui-for-media-stream", "use-fake-device-for-media-stream",
        f"use-file-for-fake-video-capture={kept / 'camera.mjpeg'}", f"user-data-dir={kept / 'profile'}",
    ):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(executable_path=shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def opened(chromium, served):
    """The page, loaded; afterwards, nothing went wrong in its console and nothing went elsewhere."""
    chromium.get_log("browser"), chromium.get_log("performance")
    chromium.get(served)
    until(lambda: found(chromium, "canvas"))
    yield chromium
    assert [line["message"] for line in chromium.get_log("browser") if line["level"] == "SEVERE"] == []
    events = [json.loads(line["message"])["message"] for line in chromium.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]
    assert {urlsplit(url).hostname for url in asked if not url.startswith(("data:", "blob:"))} == {"127.0.0.1"}


def found(driver, selector):
    return driver.find_elements("css selector", selector)


def until(true, seconds=15):
    """Waits for a moment at which it holds; the page may be drawing itself anew."""
    from selenium.common.exceptions import StaleElementReferenceException

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if value := true():
                return value
        except StaleElementReferenceException:
            pass
        time.sleep(0.05)
    raise AssertionError("it did not come to be")


def says(driver, text):
    """Waits until the answer is that."""
    last = [""]

    def same():
        last[:] = [one.text for one in found(driver, "#k2l-answer .k2l-text")] or [""]
        return last[0] == text

    try:
        until(same)
    except AssertionError:
        raise AssertionError(f"the page says {last[0]!r}, not {text!r}") from None


def stroke(driver, *points):
    """Draws with the mouse on the canvas; points in shares of its side."""
    from selenium.webdriver import ActionChains

    canvas = found(driver, "canvas")[0]
    side = canvas.size["width"]
    hand = ActionChains(driver, duration=60)

    def at(point):
        return round((point[0] - 0.5) * side), round((point[1] - 0.5) * side)

    hand.move_to_element_with_offset(canvas, *at(points[0])).click_and_hold()
    for point in points[1:]:
        hand.move_to_element_with_offset(canvas, *at(point))
    hand.release().perform()


def tab(driver, name):
    next(one for one in found(driver, "button[role=tab]") if one.text == name).click()


def test_a_digit_drawn_with_the_mouse_is_read_by_every_file(opened):
    stroke(opened, (0.3, 0.2), (0.7, 0.2), (0.45, 0.85))
    says(opened, "7")

    def rows():
        return [row.text.split() for row in found(opened, ".k2l-files tbody tr")]

    # While it is drawn it is read too, as something else.
    files = [["fp32,", "onnxruntime", "7"], ["int8,", "onnxruntime", "7"], ["int8,", "litert", "7"]]
    until(lambda: [row[:3] for row in rows()] == files)
    assert all(0 < float(row[-1]) < 100 for row in rows())
    assert len(found(opened, ".k2l-card img")) == 1 and len(found(opened, ".k2l-bars i")) == 33
    found(opened, "[data-do=clear]")[0].click()
    says(opened, "–")
    stroke(opened, (0.5, 0.2), (0.5, 0.8))
    says(opened, "1")
    found(opened, "[data-do=undo]")[0].click()
    says(opened, "–")


def test_another_network_is_asked_at_once(opened):
    stroke(opened, (0.5, 0.2), (0.5, 0.8))
    says(opened, "1")
    next(one for one in found(opened, "#k2l-network option") if one.text == "lite").click()
    until(lambda: "lite: the network alone" in found(opened, "#k2l-answer")[0].text)
    says(opened, "1")


def test_a_picture_is_read_in_rows_and_shown_with_its_boxes(opened, tmp_path):
    cv2.imwrite(str(tmp_path / "page.png"), page("305", "42"))
    tab(opened, "Picture")
    until(lambda: found(opened, "#k2l-picture input[type=file]"))[0].send_keys(str(tmp_path / "page.png"))
    says(opened, "305 | 42")
    assert len(found(opened, ".k2l-card")) == 5 and found(opened, "img.k2l-picture")


def test_a_picture_may_be_dropped_anywhere(opened):
    opened.execute_async_script("""
        const done = arguments[0], picture = await (await fetch('examples/five.png')).blob();
        const hand = new DataTransfer();
        hand.items.add(new File([picture], 'five.png'));
        document.body.dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: hand}));
        done();
    """)
    says(opened, "5")


def test_an_example_is_one_click_away(opened):
    tab(opened, "Picture")
    found(opened, ".example")[0].click()
    says(opened, "0123 | 456 | 789")


def test_the_browsers_camera_is_read_live(opened):
    tab(opened, "Camera")
    found(opened, "[data-do=start]")[0].click()
    says(opened, "12 | 7")
    found(opened, "[data-do=stop]")[0].click()
    assert opened.execute_script("return document.querySelector('video').srcObject") is None


def asked(served, method, path, body=b"", **headers):
    """(status, headers, text) of a request; `_` in a header's name stands for `-`."""
    connection = http.client.HTTPConnection(urlsplit(served).netloc, timeout=10)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, text


# What a page made by gradio takes, and what people try on any: a file or an address where a picture is due.
ROUTES = [
    *("/gradio_api/queue/join", "/gradio_api/run/predict", "/gradio_api/call/file", "/gradio_api/api/predict"),
    *("/queue/join", "/run/predict", "/api/predict", "/upload", "/gradio_api/upload", "/gradio_api/stream/1"),
    *("/read?tab=Picture&network=camera", "/read?tab=Draw&network=lite", "/read?tab=Camera&network=camera"),
    *("/read?tab=Picture&network={path}", "/read?tab={path}&network=camera", "/read?path={path}", "/read", "/"),
]
FETCHED = [
    *("/gradio_api/file={path}", "/file={path}", "/gradio_api/proxy={path}", "/gradio_api/file/{path}", "{path}"),
    *("/examples/..%2f..{path}", "/examples/../../{path}", "/examples/{path}", "/page.css/../..{path}", "//{path}"),
    *("/openapi.json", "/docs", "/config", "/gradio_api/info", "/monitoring", "/theme.css", "/gradio_api/heartbeat/x"),
]
NAMED = [
    {"path": "{path}", "meta": {"_type": "gradio.FileData"}},
    {"url": "{path}", "orig_name": "a.png", "meta": {"_type": "gradio.FileData"}},
    [{"image": {"path": "{path}", "meta": {"_type": "gradio.FileData"}}, "caption": None}],
    "{path}",
]


@pytest.mark.parametrize("wanted", ["{hidden}", "file://{hidden}", "http://named.test/x.png", "http://192.0.2.1/x.png"])
def test_whatever_path_or_address_is_sent_nothing_is_read_or_called(served, tmp_path, wanted):
    """What the process opens, resolves and calls is watched: see WATCHED."""
    hidden = tmp_path / "hidden.png"
    cv2.imwrite(str(hidden), page("305", "42"))
    path = wanted.format(hidden=hidden)
    for route in ROUTES:
        for named in NAMED:
            data = json.loads(json.dumps([named, "camera"]).replace("{path}", path))
            body = json.dumps({"fn_index": 2, "data": data, "session_hash": "x", "path": path})
            target = route.format(path=urllib.parse.quote(path, safe=""))
            status, _, text = asked(served, "POST", target, body, Content_Type="application/json")
            refused = status in (400, 404, 405) or "not a picture" in text or "no digit" in text
            assert refused and path not in text and str(tmp_path) not in text, (target, body, text)
    for route in FETCHED:
        status, _, text = asked(served, "GET", route.format(path=path if path.startswith("/") else f"/{path}"))
        assert status == 404 and path not in text, (route, text)


def test_every_answer_tells_the_browser_what_it_may_do(served):
    for method, path in (("GET", "/"), ("GET", "/page.js"), ("GET", "/nothing"), ("POST", "/read"), ("PUT", "/")):
        for host in ({}, {"Host": "evil.test"}):
            _, headers, _ = asked(served, method, path, **host)
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY"
            assert headers["Referrer-Policy"] == "no-referrer" and "camera=(self)" in headers["Permissions-Policy"]
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin" and "server" not in headers


@pytest.mark.parametrize(
    "header",
    [{"Host": "evil.test"}, {"Host": ""}, {"Host": "localhost/x"}, {"Origin": "http://evil.test"}, {"Origin": "null"}],
)
def test_a_page_of_another_name_is_not_answered(served, header):
    for method, path in (("GET", "/"), ("POST", "/read?tab=Draw&network=lite")):
        assert asked(served, method, path, **header)[0] == 403


@pytest.mark.parametrize("end", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_however_it_ends_nothing_that_was_sent_is_left_behind(launch, tmp_path, end):
    environment = {**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    running = launch("-m", "scripts", "web", "--port", "0", "--model", "lite", env=environment)
    served = running.stderr.readline().split()[2]
    picture = cv2.imencode(".png", page("305", "42"))[1].tobytes()
    assert "305 | 42" in asked(served, "POST", "/read?tab=Picture&network=lite", picture)[2]
    running.send_signal(getattr(signal, end))
    said = running.communicate(timeout=20)[1].strip()
    assert end == "SIGKILL" or (said, running.returncode) == ("the page is closed", 0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("verb", "risk"), [("web", "asks nobody"), ("emulator", "runs code here as you")])
def test_other_machines_are_let_in_by_who_says_so_alone(k2l, stranger, verb, risk):
    for host in ("0.0.0.0", "::", "192.0.2.7"):
        code, out, err = k2l(verb, "--port", "0", "--host", host)
        assert (code, out, len(err.splitlines())) == (2, "", 2)
        assert f"other machines can reach --host {host}: " in err and risk in err and "--i-know" in err


def test_a_network_that_is_not_there_is_told_before_anything_is_served(k2l):
    code, _, err = k2l("web", "--model", "nothing", "--port", "0")
    assert code == 1 and "No model 'nothing'" in err
