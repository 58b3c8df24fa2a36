"""Every check of a push: what it passes, what it fails, and that none of them writes anything anywhere."""

import time

import pytest

from local.core import workspace
from local.core.checks import BAD, GOOD, NOT_CHECKED, WARN
from local.jobs import bundle, connect, preflight, push
from local.jobs.preflight import PlannedPush
from local.kaggle_api import kernel_spec
from local.runs import journal
from shared.core.errors import ConfigError, KernelError
from shared.training.config import TrainConfig
from tests.local import trips

pytestmark = pytest.mark.usefixtures("home")

GPU = {"accelerator": "NvidiaTeslaT4"}


@pytest.fixture
def look(service, kernel):
    """`look("capacity", …)`: what that check comes to; `look()`: what all do, by name."""
    kernel("1")

    def look(name="", dataset="digits", changes=None, **more):
        config = TrainConfig.create(dataset=dataset)
        usual = {"remote": "kaggle", "training": lambda: (trips.NAME, config), "reach": lambda remote: service}
        results = preflight.preflight(PlannedPush(framework="torch", changes=changes or {}, **{**usual, **more}))
        assert [one.check for one in results] == [check.name for check in preflight.CHECKS]
        assert all(one.fix for one in results if one.verdict in (WARN, BAD))
        found = {one.check: one for one in results}
        return found[name] if name else found

    return look


@pytest.fixture
def queued(emulator, monkeypatch):
    """Sessions stay in the queue."""
    monkeypatch.setattr(emulator.store, "start", lambda version: None)


def toml(old, new):
    path = workspace.kernels() / "torch" / "kernel.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_push_that_would_go_passes_every_check(look):
    found = look()
    assert {one.verdict for one in found.values()} == {GOOD}
    assert not any(one.fix for one in found.values())
    assert found["slug and title"].found == "k2l-mine, 'k2l mine'"
    assert found["kernel"].found == "emulator/k2l-mine is new: version 1"
    assert found["credentials"].found == "'emulator' at emulator, from the emulator itself"


def test_what_passes_here_is_pushed(look, service, kernel, queued):
    assert {one.verdict for one in look(changes=GPU).values()} == {GOOD}
    one = push.push(service, trips.submission_of(kernel("1")))
    assert one.version == 1
    assert look("kernel").found == "emulator/k2l-mine has 1: the next version is 2"


def test_nothing_is_written_here_or_there(look, emulator, service, kernel, queued, home):
    push.push(service, trips.submission_of(kernel("1")))
    before = trips.tree(home), trips.tree(emulator.state), list(workspace.kernels().rglob("*"))
    for changes in ({}, GPU, {"slug": "abc"}):
        look(changes=changes, again=True)
    assert (trips.tree(home), trips.tree(emulator.state), list(workspace.kernels().rglob("*"))) == before


def test_where_there_is_no_journal_none_is_made(look, home):
    look()
    assert not home.exists()


@pytest.mark.parametrize(
    ("check", "changes", "said"),
    [
        ("slug and title", {"slug": "abc"}, "has 3 characters; Kaggle takes 5 to 50"),
        ("slug and title", {"title": "Another"}, "the slug 'another', not 'k2l-mine'"),
        ("accelerator", {"accelerator": "no name"}, "is not a name"),
    ],
)
def test_what_is_wrong_on_the_command_line_fails_one_check_alone(look, check, changes, said):
    found = look(changes=changes)
    assert found[check].verdict == BAD and said in found[check].found
    assert [one.check for one in found.values() if one.verdict == BAD] == [check]


@pytest.mark.parametrize(
    ("check", "changes", "verdict", "said"),
    [
        ("accelerator", {"accelerator": "NvidiaRtx9000"}, WARN, "is new to k2l"),
        ("accelerator", {"accelerator": ""}, GOOD, "none: it runs on a CPU"),
        ("slug and title", {"slug": "2nd-mine", "title": "2nd mine"}, WARN, "begins with a digit"),
        ("capacity", {"accelerator": "TpuV7E8"}, GOOD, "how many TPU sessions"),
    ],
)
def test_what_kaggle_may_take_otherwise_is_told_and_keeps_nothing_back(look, check, changes, verdict, said):
    found = look(changes=changes)
    assert (found[check].verdict, said in found[check].found) == (verdict, True)
    assert not [one.check for one in found.values() if one.verdict == BAD]


@pytest.mark.parametrize(
    ("check", "old", "new", "said"),
    [
        ("kernel.toml", "time_limit = 60", "", "time_limit missing"),
        ("kernel.toml", "slug = ", "slug = = ", "cannot be read"),
        ("time limit", "time_limit = 60", "time_limit = 50000", "out of range: use 60"),
        ("data sources", "digits = []", 'digits = ["nowhere"]', 'must be a list of "owner/slug"'),
    ],
)
def test_what_is_wrong_in_kernel_toml_fails_its_check(look, check, old, new, said):
    toml(old, new)
    one = look(check)
    assert one.verdict == BAD and said in one.found


def test_parameters_that_cannot_be_fail(look):
    def wrong():
        raise ConfigError("epochs=0 is out of range.")

    assert look("parameters", training=wrong).verdict == BAD


@pytest.mark.parametrize(
    ("check", "code", "said"),
    [("notebook", "for in", "does not compile"), ("size", f'big = "{"x" * 900_000}"', "Kaggle accepts 900,000")],
)
def test_a_notebook_that_could_not_run_fails(look, kernel, check, code, said):
    kernel(code)
    one = look(check)
    assert one.verdict == BAD and said in one.found


def test_a_notebook_without_a_kernelspec_fails_here_as_in_a_push(look, service, kernel, monkeypatch):
    monkeypatch.setattr(bundle, "KERNELSPEC", {})
    assert look("kernelspec").verdict == BAD
    with pytest.raises(KernelError, match="no kernelspec"):
        push.push(service, trips.submission_of(kernel("1")))


def test_credentials_that_the_service_does_not_take_fail(look, emulator):
    stranger = connect.at_loopback(emulator.url, username=emulator.username, key="wrong")
    found = look(reach=lambda remote: stranger)
    assert found["credentials"].verdict == BAD and "HTTP 401" in found["credentials"].found
    assert found["capacity"].verdict == found["owner"].verdict == NOT_CHECKED
    assert found["notebook"].verdict == GOOD
    assert "wrong" not in str(found)


def test_where_there_are_no_credentials_that_fails(look, tmp_path, monkeypatch):
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    one = look("credentials", reach=connect.reach)
    assert one.verdict == BAD and "no Kaggle credentials" in one.found


@pytest.mark.parametrize("place", ["KAGGLE_USERNAME and KAGGLE_KEY", "kaggle.json"])
def test_where_credentials_are_from_is_told_and_the_key_is_not(emulator, tmp_path, monkeypatch, place):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.delenv("KAGGLE_API_TOKEN", raising=False)
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.setenv(name, "me") if "and" in place else monkeypatch.delenv(name, raising=False)
    (tmp_path / "kaggle.json").write_text('{"username": "me", "key": "topsecret"}')
    there = connect.reach("kaggle")
    assert (there.username, place in there.origin, "topsecret" in there.origin) == ("me", True, False)


def test_nobody_pushes_for_another(look):
    assert look("owner", owner="emulator").verdict == GOOD
    one = look("owner", owner="somebody")
    assert one.verdict == BAD and "Leave --owner out" in one.fix


def test_an_emulator_that_does_not_run_is_not_started(look, home):
    found = look(remote="emulator", reach=connect.reach)
    assert found["credentials"].verdict == NOT_CHECKED and "the push starts one" in found["credentials"].found
    assert {found[name].verdict for name in ("kernel", "same run", "GPU time", "capacity")} == {NOT_CHECKED}
    assert not home.exists()


def test_data_that_the_emulator_would_have_to_fetch_is_a_warning(look, tmp_path, monkeypatch):
    monkeypatch.setenv("K2L_DATA", str(tmp_path))
    one = look("data sources", dataset="mnist", remote="emulator")
    assert one.verdict == WARN and "mnist is not here" in one.found
    assert look("data sources", dataset="mnist").verdict == GOOD  # Kaggle has it


def test_a_service_that_does_not_tell_is_a_warning(look, service, monkeypatch):
    monkeypatch.setattr(service, "current_version", lambda slug: None)
    assert look("kernel").verdict == WARN


def test_gpu_time_that_is_gone_fails_and_too_little_is_a_warning(look, emulator):
    now = time.time()
    assert "30 of 30 h are left" in look("GPU time", changes=GPU).found
    emulator.store.ledger.book(now, now + 30 * 3600 - 30)
    one = look("GPU time", changes=GPU)  # half a minute is left, the run may take a whole one
    assert one.verdict == WARN and "0 h of GPU time are left" in one.found
    emulator.store.ledger.book(now, now + 60)
    one = look("GPU time", changes=GPU)
    assert one.verdict == BAD and "no GPU time is left" in one.found and "--accelerator none" in one.fix
    assert look("GPU time").found == "none is needed"


def test_full_capacity_fails_unless_it_is_waited_for(look, service, kernel, queued):
    kernel("1")
    for again in range(2):
        assert look("capacity", changes=GPU, again=True).found.startswith(f"{again} of 2 GPU sessions")
        gpu = trips.submission_of(kernel_spec.load("torch", **GPU))
        push.push(service, gpu, again=True)
    one = look("capacity", changes=GPU, again=True)
    assert one.verdict == BAD and journal.every()[0].run_id in one.fix and "--wait-for-capacity" in one.fix
    assert look("capacity", changes=GPU, again=True, waits=True).verdict == WARN
    assert look("capacity", again=True).found.startswith("0 of 5 CPU sessions")


def test_runs_that_have_ended_take_no_room_and_unknown_ones_may(look, emulator, service, queued):
    for _ in range(2):
        push.push(service, trips.submission_of(kernel_spec.load("torch", **GPU)), again=True)
    first = journal.every()[0]
    first.record(accelerator="")  # as older journals have it
    one = look("capacity", changes=GPU, again=True)
    assert one.verdict == WARN and "1 of 2 GPU sessions" in one.found and "1 more may be" in one.found
    first.record(accelerator="", owner="somebody")
    assert look("capacity", changes=GPU, again=True).verdict == GOOD
    first.record(accelerator="")
    emulator.store.cancel(emulator.version(trips.SLUG, first.version))
    assert look("capacity", changes=GPU, again=True).verdict == GOOD
    service.delete(trips.SLUG)
    assert look("capacity", changes=GPU, again=True).found.startswith("0 of 2")


def test_the_same_run_under_way_is_told_and_nothing_else_is_needed_then(look, service, kernel, queued):
    one = push.push(service, trips.submission_of(kernel_spec.load("torch", **GPU)))
    push.push(service, trips.submission_of(kernel_spec.load("torch", **GPU)), again=True).record(state="failed")
    found = look(changes=GPU, again=True)
    assert found["same run"].found == "ignored by --again"
    service.delete(trips.SLUG)
    again = push.push(service, trips.submission_of(kernel_spec.load("torch", **GPU)))
    found = look(changes=GPU)
    assert found["same run"].verdict == WARN and again.run_id in found["same run"].found
    assert one.run_id != again.run_id and "--again" in found["same run"].fix
    assert found["capacity"].found == "nothing is sent"


def test_a_damaged_journal_fails_its_check_alone(look, monkeypatch):
    def damaged(**place):
        raise KernelError("the journal is damaged.")

    monkeypatch.setattr(journal, "unfinished", damaged)
    found = look()
    assert found["same run"].verdict == BAD and "is damaged" in found["same run"].found
    assert found["kernel"].verdict == GOOD and found["capacity"].verdict == NOT_CHECKED


def test_a_service_out_of_reach_is_told_in_its_row(look, emulator, service, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    emulator.leave()
    try:
        one = look("credentials")
    finally:
        emulator.start()
    assert one.verdict == BAD and "cannot be reached" in one.found
