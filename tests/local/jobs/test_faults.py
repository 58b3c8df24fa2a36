"""A bad day, through the real SDK over HTTP: what the emulator is told to do wrong, the trip survives or says plainly.

Nothing is pushed twice, nothing unproven is installed. Waits between retries are written down and not waited.
"""

import time

import pytest

from local.core import workspace
from local.jobs import pull, push, watch
from local.kaggle_api import errors, http
from local.runs import download, journal
from shared.core import manifest
from shared.core.errors import CredentialsError, KernelError, RefusedError, RunError, ServiceError
from tests.heard import Heard
from tests.local import trips

SLUG = trips.SLUG
PIECE = 1 << 14
BIG = bytes(range(251)) * (16 * PIECE // 251) + bytes(16 * PIECE % 251)  # sixteen pieces, so that halves are whole ones
HTML = "<html><head><title>Bad gateway</title></head><body>nginx</body></html>"
SAID = {"error": {"code": 503, "message": "Try again later", "status": "UNAVAILABLE"}}
TROUBLES = {
    "429": {"fault": "status", "status": 429, "headers": {"Retry-After": "1"}, "body": SAID},
    "429 without a word when": {"fault": "status", "status": 429, "body": SAID},
    "500": {"fault": "status", "status": 500, "body": SAID},
    "503": {"fault": "status", "status": 503, "body": SAID},
    "503 and when to return": {"fault": "status", "status": 503, "headers": {"Retry-After": "1"}, "body": SAID},
    "502 in HTML": {"fault": "status", "status": 502, "headers": {"Content-Type": "text/html"}, "body": HTML},
    "500 in HTML": {"fault": "status", "status": 500, "headers": {"Content-Type": "text/html"}, "body": HTML},
    "dropped before": {"fault": "drop"},
    "dropped after": {"fault": "drop", "moment": "after"},
}


pytestmark = pytest.mark.usefixtures("home", "impatience", "plain_sessions")


@pytest.fixture(autouse=True)
def waits(no_waits):
    """The seconds that retries would have waited."""
    return no_waits


@pytest.fixture
def starts(service, monkeypatch):
    """From which byte on the run's files were asked for, one number a request."""
    asked, fetch = [], service.download

    def counted(url, *, start=0):
        if "/manifest.json" not in url:
            asked.append(start)
        return fetch(url, start=start)

    monkeypatch.setattr(service, "download", counted)
    return asked


def arrived(emulator):
    """How many versions of the kernel the service has."""
    kernel = emulator.store.kernel(emulator.username, SLUG)
    return len(kernel.versions()) if kernel else 0


def test_a_push_put_off_with_429_waits_as_told_and_arrives_once(emulator, service, submission, waits):
    emulator.faults.add(**TROUBLES["429"], method="SaveKernel")
    one = push.push(service, submission)
    assert (one.state, one.version, arrived(emulator), waits) == ("pushed", 1, 1, [1])


def test_a_push_put_off_without_a_word_when_arrives_once(emulator, service, submission):
    emulator.faults.add(**TROUBLES["429 without a word when"], method="SaveKernel", times=2)
    assert (push.push(service, submission).version, arrived(emulator)) == (1, 1)


def test_a_push_put_off_for_ever_is_refused_in_the_services_words(emulator, service, submission, waits):
    emulator.faults.add(**TROUBLES["429"], method="SaveKernel", times=None)
    with pytest.raises(RefusedError, match=r"Try again later \(HTTP 429\)"):
        push.push(service, submission)
    assert (arrived(emulator), len(waits)) == (0, http.TRIES)
    emulator.faults.clear()
    assert (push.push(service, submission).version, arrived(emulator)) == (1, 1)


NOT_SAVED = ["500", "503", "503 and when to return", "502 in HTML", "dropped before"]


@pytest.mark.parametrize("trouble", NOT_SAVED)
def test_a_push_that_was_lost_is_not_repeated_by_itself_and_the_same_command_pushes_it(
    emulator, service, submission, trouble
):
    emulator.faults.add(**TROUBLES[trouble], method="SaveKernel")
    with pytest.raises(errors.PushLostError, match="apparently did not arrive; run the same command") as caught:
        push.push(service, submission)
    assert len(str(caught.value).splitlines()) == 2
    assert (arrived(emulator), [one.state for one in journal.every()]) == (0, ["intended"])
    one = push.push(service, submission)
    assert (one.state, one.version, arrived(emulator), journal.every()) == ("pushed", 1, 1, [one])


@pytest.mark.parametrize("before", [0, 2])
def test_a_push_whose_answer_was_lost_is_found_again_and_not_repeated(emulator, service, submission, before):
    for _ in range(before):
        emulator.finished(SLUG)
    emulator.faults.add(**TROUBLES["dropped after"], method="SaveKernel")
    one = push.push(service, submission)
    assert (one.state, one.version, arrived(emulator)) == ("pushed", before + 1, before + 1)
    assert push.push(service, submission) == one


def test_a_push_lost_with_the_service_is_found_by_the_next_command(emulator, service, submission):
    emulator.faults.add(**TROUBLES["dropped after"], method="SaveKernel")
    # What is asked for the version before comes through.
    emulator.faults.add(**TROUBLES["503"], method="GetKernel", skip=1, times=None)
    emulator.faults.add(**TROUBLES["503"], method="GetKernelSessionStatus", skip=1, times=None)
    with pytest.raises(ServiceError, match=r"Try again later \(HTTP 503\).*same command again to resume"):
        push.push(service, submission)
    assert (arrived(emulator), [one.state for one in journal.every()]) == (1, ["intended"])
    emulator.faults.clear()
    one = push.push(service, submission)
    assert (one.state, one.version, arrived(emulator), journal.every()) == ("pushed", 1, 1, [one])


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_lost_push_is_settled_by_the_status_where_no_notebook_is_given(emulator, service, submission, moment):
    emulator.faults.add(fault="drop", method="SaveKernel", moment=moment)
    emulator.faults.add(**TROUBLES["500"], method="GetKernel", skip=1, times=None)
    if moment == "before":
        with pytest.raises(errors.PushLostError, match="did not arrive"):
            push.push(service, submission)
    one = push.push(service, submission)
    assert (one.state, one.version, arrived(emulator), journal.every()) == ("pushed", 1, 1, [one])


@pytest.mark.parametrize("body", [HTML, {}, None, [], "null"], ids=str)
def test_an_answer_that_is_no_receipt_is_not_taken_for_one(emulator, service, submission, body):
    emulator.faults.add(fault="status", status=200, method="SaveKernel", body=body)
    with pytest.raises(errors.PushLostError, match="did not arrive"):
        push.push(service, submission)
    assert (push.push(service, submission).version, arrived(emulator)) == (1, 1)


@pytest.mark.parametrize(("status", "error"), [(400, RefusedError), (401, CredentialsError), (403, RefusedError)])
def test_a_refusal_without_a_word_is_a_refusal(emulator, service, submission, status, error):
    """Like the bare 400 for a notebook that is too large, under the content type of all other answers."""
    emulator.faults.add(fault="status", method="SaveKernel", status=status)
    with pytest.raises(error, match=f"HTTP {status}"):
        push.push(service, submission)


READS = {
    "GetKernelSessionStatus": lambda service: service.status(SLUG, 1).state,
    "GetKernel": lambda service: (service.current_version(SLUG), service.source(SLUG, 1)),
    "ListKernelSessionOutput": lambda service: ([one.name for one in service.outputs(SLUG, 1)[0]], "it ran"),
    "GetAcceleratorQuotaStatistics": lambda service: service.quota(),
    "LogStream": lambda service: "".join(service.follow_log(SLUG, 1)),
    "Download": lambda service: service.download(service.outputs(SLUG, 1)[0][0].url).content,
}


@pytest.fixture(scope="module")
def read_only(shared_emulator):
    """One ended version, to be read alone."""
    shared_emulator.finished(SLUG, {"model.pth": b"weights"})
    return shared_emulator


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("method", READS)
def test_a_question_is_asked_again(read_only, waits, method, trouble):
    service = trips.service_of(read_only)
    expected = READS[method](service)
    read_only.faults.add(**TROUBLES[trouble], method=method)
    assert READS[method](service) == expected
    assert read_only.faults.listed() == []  # it did strike
    assert waits == ([1] if "headers" in TROUBLES[trouble] and "Retry-After" in TROUBLES[trouble]["headers"] else [])


@pytest.mark.parametrize("method", [method for method in READS if method not in ("GetKernel", "Download")])
def test_a_question_without_an_answer_ends_in_a_line(read_only, waits, method):
    service = trips.service_of(read_only)
    read_only.faults.add(**TROUBLES["503"], method=method, times=None)
    try:
        with pytest.raises(ServiceError) as caught:
            READS[method](service)
    finally:
        read_only.faults.clear()
    assert "\n" not in str(caught.value) and "503" in str(caught.value)
    assert len(waits) == http.TRIES - 1 and sum(waits) < 60  # the first repetition comes at once


def test_a_kernel_that_is_not_told_is_not_taken_for_none(read_only):
    service = trips.service_of(read_only)
    read_only.faults.add(**TROUBLES["503"], method="GetKernel", times=2 * (http.TRIES + 1))
    assert (service.current_version(SLUG), service.source(SLUG, 1)) == (None, "")
    assert service.current_version("k2l-nothing") == 0


def test_errors_leave_their_connection_free(read_only):
    service = trips.service_of(read_only)
    for ask in (service.status, lambda *kernel: list(service.follow_log(*kernel))):
        for _ in range(3):
            with pytest.raises(KernelError, match="HTTP 403"):
                ask("k2l-nothing", 1)
    pools = service._session.get_adapter(read_only.url).poolmanager.pools
    assert [pools[key].num_connections for key in pools.keys()] == [1]  # noqa: SIM118 - it is no dict


def test_a_silent_service_is_asked_again(read_only, monkeypatch):
    monkeypatch.setattr(http, "READ", 0.2)
    service = trips.service_of(read_only)
    read_only.faults.add(fault="delay", method="GetKernelSessionStatus", seconds=1)
    assert service.status(SLUG, 1).state == "COMPLETE"


def test_a_web_page_in_place_of_an_answer_is_told(read_only):
    page = {"fault": "status", "status": 200, "headers": {"Content-Type": "text/html"}, "body": HTML}
    read_only.faults.add(**page, method="GetKernelSessionStatus")
    with pytest.raises(ServiceError, match="cannot be read"):
        trips.service_of(read_only).status(SLUG, 1)


DAMAGES = {
    "whole": ([], [0]),
    "cut": ([{"fault": "truncate"}], [0, 8 * PIECE]),
    "cut twice": ([{"fault": "truncate", "times": 2}], [0, 8 * PIECE, 12 * PIECE]),
    "one byte wrong": ([{"fault": "corrupt"}], [0, 0]),
    "cut, and one byte wrong in the rest": (
        [{"fault": "truncate"}, {"fault": "corrupt", "skip": 1}],
        [0, 8 * PIECE, 0],
    ),
    "dropped": ([{"fault": "drop"}], [0]),
    "500": ([TROUBLES["500"]], [0]),
    "a web page": ([{**TROUBLES["500 in HTML"], "status": 200}], [0, 0]),
    "refused once": ([{**TROUBLES["500"], "status": 403}], [0, 0]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_download_comes_right(emulator, service, starts, damage):
    faults, expected = DAMAGES[damage]
    one = trips.finished(emulator, {"model.pth": BIG})
    for fault in faults:
        emulator.faults.add(**fault, method="Download", match="model.pth")
    one, left_out = pull.pull(service, one)
    assert (one.state, left_out, emulator.faults.listed()) == ("pulled", {}, [])
    manifest.verify(workspace.models() / "mine")
    assert trips.installed()["model.pth"] == BIG
    assert starts == expected


@pytest.mark.parametrize("damage", ["cut", "one byte wrong", "dropped", "500", "a web page", "refused once"])
def test_the_manifest_itself_comes_right(emulator, service, damage):
    one = trips.finished(emulator, {"model.pth": b"weights"})
    for fault in DAMAGES[damage][0]:
        emulator.faults.add(**fault, method="Download", match="manifest.json")
    pull.pull(service, one)
    assert emulator.faults.listed() == []
    assert trips.installed()["model.pth"] == b"weights"


def test_expired_links_are_replaced_by_fresh_ones(emulator, service, starts, monkeypatch):
    """All links of the first listing have expired when they are used, as after a long queue of downloads."""
    files = {f"{n}.bin": bytes([n]) * 1000 for n in range(5)}
    one = trips.finished(emulator, files)
    signer = emulator.service.signer
    monkeypatch.setattr(signer, "lifetime", -10)
    outputs = service.outputs

    def first_expired(*arguments):
        listed = outputs(*arguments)
        signer.lifetime = 3600
        return listed

    monkeypatch.setattr(service, "outputs", first_expired)
    pull.pull(service, one)
    assert {name: trips.installed()[name] for name in files} == files
    assert len(starts) == 2 * len(files)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model.pth", r"model\.pth .*differ from those of the manifest.\nNothing was installed"),
        ("manifest.json", r"manifest\.json of .*k2l-mine"),
    ],
)
def test_a_file_corrupt_for_ever_is_refused_and_comes_once_it_is_mended(emulator, service, name, said):
    one = trips.finished(emulator, {"model.pth": b"weights", "other": b"o"})
    emulator.faults.add(fault="corrupt", match=name, times=None)
    with pytest.raises(KernelError, match=said):
        pull.pull(service, one)
    assert trips.nothing_installed() and journal.get("r1").state == "complete"
    emulator.faults.clear()
    pull.pull(service, one)
    assert trips.installed()["model.pth"] == b"weights"


def test_a_file_cut_for_ever_is_refused_and_the_next_pull_goes_on_where_it_was(emulator, service, starts):
    one = trips.finished(emulator, {"model.pth": BIG})
    emulator.faults.add(fault="truncate", match="model.pth", times=None)
    with pytest.raises(KernelError, match=r"did not arrive complete.*\nNothing was installed"):
        pull.pull(service, one)
    assert trips.nothing_installed()
    emulator.faults.clear()
    pull.pull(service, one)
    assert trips.installed()["model.pth"] == BIG
    assert starts[:4] == [0, 8 * PIECE, 12 * PIECE, 14 * PIECE]
    assert starts == sorted(starts) and len(starts) == 2 + download.TRIES + 1  # two brought much; one more in the end


def test_an_executed_notebook_that_does_not_come_is_not_worth_the_model(emulator, service):
    one = trips.finished(emulator, {"model.pth": b"weights"})
    (emulator.version(SLUG).folder / "__notebook__.ipynb").write_text("{}")
    emulator.faults.add(fault="truncate", match="__notebook__", times=None)
    pull.pull(service, one)
    assert sorted(manifest.verify(workspace.models() / "mine").files) == ["model.pth", "run.log"]


def test_the_previous_versions_status_is_not_taken_for_ours(emulator, service, kernel):
    emulator.finished(SLUG, {"manifest.json": b"{}"})
    emulator.faults.add(fault="stale_status", times=None)
    one = push.push(service, trips.submission_of(kernel(f"import time; time.sleep(1)\n{trips.LEAVES_A_MODEL}")))
    assert emulator.status(SLUG) == "COMPLETE"  # who asks for no version is told of the previous one
    heard = Heard()
    one = watch.watch(service, one, report=heard)
    seen = heard.all("state")
    assert seen[0] in ("QUEUED", "RUNNING") and seen[-1] == "COMPLETE"
    pull.pull(service, one)
    assert manifest.verify(workspace.models() / "mine").run_id == one.run_id


@pytest.mark.parametrize("late", [1, None], ids=["at first", "for ever"])
def test_a_log_that_is_empty_after_the_end_does_not_fail_the_trip(emulator, service, kernel, late):
    emulator.faults.add(fault="empty_log", method="ListKernelSessionOutput", times=late)
    one = push.push(service, trips.submission_of(kernel(trips.LEAVES_A_MODEL)))
    one, left_out = pull.pull(service, watch.watch(service, one))
    assert (one.state, left_out) == ("pulled", {})
    manifest.verify(workspace.models() / "mine")
    assert late is None or b"trained" in trips.installed()["run.log"]


def test_a_failure_without_a_log_is_told_all_the_same(emulator, service, kernel):
    for method in ("ListKernelSessionOutput", "LogStream"):
        emulator.faults.add(fault="empty_log", method=method, times=None)
    emulator.faults.add(**TROUBLES["503"], method="LogStream", times=None)
    one = push.push(service, trips.submission_of(kernel("raise ValueError('the ink ran out')")))
    with pytest.raises(RunError, match="failed: ValueError: the ink ran out"):
        watch.watch(service, one, sleep=lambda seconds: time.sleep(min(seconds, 0.05)))
    assert (journal.get(one.run_id).state, trips.nothing_installed()) == ("failed", True)


def test_everything_at_once_is_survived(emulator, service, kernel):
    """Asked for over HTTP, as somebody rehearsing a bad day would."""
    bad_day = [
        {**TROUBLES["429"], "method": "SaveKernel"},
        {**TROUBLES["dropped after"], "method": "SaveKernel", "skip": 1},
        {**TROUBLES["502 in HTML"], "method": "GetKernel", "times": 2},
        {**TROUBLES["500"], "method": "GetKernelSessionStatus", "times": 3},
        {**TROUBLES["dropped before"], "method": "GetKernelSessionStatus", "skip": 4},
        {**TROUBLES["503"], "method": "LogStream", "times": None},
        {"fault": "empty_log", "method": "ListKernelSessionOutput"},
        {**TROUBLES["503"], "method": "ListKernelSessionOutput"},
        {"fault": "truncate", "method": "Download", "match": "manifest.json"},
        {"fault": "corrupt", "method": "Download", "match": "model.pth"},
        {**TROUBLES["500"], "method": "Download", "match": "__notebook__"},
    ]
    auth = (emulator.username, emulator.key)
    assert emulator.http.post(f"{emulator.url}/emulator/faults", json=bad_day, auth=auth).status_code == 200
    one = push.push(service, trips.submission_of(kernel(trips.LEAVES_A_MODEL)))
    one, left_out = pull.pull(service, watch.watch(service, one))
    assert (one.state, one.version, arrived(emulator), left_out) == ("pulled", 1, 1, {})
    assert [rule["method"] for rule in emulator.faults.listed()] == ["LogStream"]
    manifest.verify(workspace.models() / "mine")
    assert trips.installed()["model.pth"] == b"weights"


def test_a_service_that_hides_its_kernels_is_not_pushed_to_twice(emulator, service, submission):
    """GetKernel says there is none, though a version runs: what an earlier one left is not taken for ours."""
    emulator.finished(trips.SLUG, {})
    emulator.faults.add(fault="status", method="GetKernel", status=403, times=None)
    emulator.faults.add(**TROUBLES["dropped after"], method="SaveKernel")
    for _ in range(2):
        with pytest.raises(errors.PushLostError, match=r"does not say whether .*\n.*--again"):
            push.push(service, submission)
    assert [one.state for one in journal.every()] == ["intended"]
    emulator.faults.clear()
    assert service.current_version(trips.SLUG) == 2
    assert push.push(service, submission).version == 2
