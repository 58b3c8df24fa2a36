"""`k2l web` as a person meets it: in a process of its own, in a real Chromium, with mouse, file and camera."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import cv2
import pytest
from drawn_digits import page

from local import paths

pytest.importorskip("gradio", reason="gradio is not installed: no page to look at")

# The verb, with every address that its process looks up or calls written down: none may be another machine's.
WATCHED = """
import sys
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.connect"):
        where = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
        where = where[0] if isinstance(where, tuple) else where
        if where not in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", None) and not str(where).startswith("/"):
            print("OUTSIDE", event, where, file=sys.stderr, flush=True)
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
    """The address of a page on a free port; in the end Ctrl-C, what it said, and what it left behind."""
    environment = {**os.environ, "TMPDIR": str(kept), "HOME": str(kept)}
    running = subprocess.Popen(
        [sys.executable, "-c", WATCHED, "web", "--port", "0", "--model", "camera"],
        cwd=paths.CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = running.stderr.readline()
    try:
        assert said.startswith("k2l web: http://127.0.0.1:"), said + running.communicate(timeout=5)[1]
        yield said.split()[2]
    finally:
        running.send_signal(signal.SIGINT)
        out, more = running.communicate(timeout=20)
    assert (running.returncode, out, more.strip()) == (0, "", "the page is closed")
    assert not list(kept.glob("k2l-web-*"))


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
    assert len(found(opened, ".k2l-card img")) == 1 and len(found(opened, ".k2l-bars i")) == 30
    found(opened, "[data-do=clear]")[0].click()
    says(opened, "–")
    stroke(opened, (0.5, 0.2), (0.5, 0.8))
    says(opened, "1")
    found(opened, "[data-do=undo]")[0].click()
    says(opened, "–")


def test_another_network_is_asked_at_once(opened):
    stroke(opened, (0.5, 0.2), (0.5, 0.8))
    says(opened, "1")
    found(opened, "#k2l-network input")[0].click()
    next(one for one in until(lambda: found(opened, "[role=option]")) if one.text.split()[-1] == "lite").click()
    until(lambda: "lite: the network alone" in found(opened, "#k2l-answer")[0].text)
    says(opened, "1")


def test_a_picture_is_read_in_rows_and_shown_with_its_boxes(opened, tmp_path):
    cv2.imwrite(str(tmp_path / "page.png"), page("305", "42"))
    tab(opened, "Picture")
    until(lambda: found(opened, "#k2l-picture input[type=file]"))[0].send_keys(str(tmp_path / "page.png"))
    says(opened, "305 | 42")
    assert len(found(opened, ".k2l-card")) == 5 and found(opened, "img.k2l-picture")


def test_an_example_is_one_click_away(opened):
    tab(opened, "Picture")
    until(lambda: [one for one in found(opened, ".gallery-item") if one.is_displayed()])[0].click()
    says(opened, "0123 | 456 | 789")


def test_the_browsers_camera_is_read_live(opened):
    tab(opened, "Camera")
    until(lambda: [one for one in found(opened, "#k2l-camera button") if "Webcam" in one.text])[0].click()
    until(lambda: [one for one in found(opened, "#k2l-camera button") if "Record" in one.text])[0].click()
    says(opened, "12 | 7")
    until(lambda: [one for one in found(opened, "#k2l-camera button") if "Stop" in one.text])[0].click()


def test_a_services_end_leaves_nothing_behind_either(launch, tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    # Python removes what was forgotten when it ends, and would hide that; of that alone it is to warn.
    warned = ("-W", "default:Implicitly cleaning up:ResourceWarning")
    running = launch(*warned, "-m", "scripts", "web", "--port", "0", "--model", "lite", env=environment)
    assert "http://127.0.0.1:" in running.stderr.readline() and list(tmp_path.glob("k2l-web-*/*.png"))
    running.terminate()
    assert running.communicate(timeout=20)[1].strip() == "the page is closed" and running.returncode == 0
    assert not list(tmp_path.iterdir())


def test_a_page_of_another_name_is_not_answered(served):
    request = urllib.request.Request(served, headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request, timeout=10)


def test_other_machines_are_let_in_by_who_says_so_alone(k2l):
    code, out, err = k2l("web", "--host", "0.0.0.0")
    assert (code, out) == (2, "") and len(err.splitlines()) == 2 and "--i-know" in err and "asks nobody" in err


def test_a_network_that_is_not_there_is_told_before_anything_is_served(k2l):
    code, _, err = k2l("web", "--model", "nothing", "--port", "0")
    assert code == 1 and "No model 'nothing'" in err
