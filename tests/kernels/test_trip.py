"""Push, watch and pull against the emulator, through the real SDK: right, or an error that says why."""

import dataclasses
import hashlib
import json
import threading
import time
from datetime import timedelta

import pytest

from local import paths
from local.kernels import cancel, client, connect, pull, push, runs, spec, watch
from local.kernels.runs import Run
from shared import manifest
from shared.config import TrainConfig
from shared.errors import CredentialsError, KernelError, RefusedError, RunError, ServiceError

FACTS = {
    "framework": "torch", "architecture": "compact", "trainable_parameters": 1, "dataset": "digits",
    "parameters": {}, "source_commit": "", "environment": {}, "metrics": {"test": {"accuracy": 0.5}},
}  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("K2L_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def service(emulator):
    return connect.at_loopback(emulator.url, username=emulator.username, key=emulator.key)


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel whose notebook runs the given code: no training, so that a round trip takes a second or two."""
    folder = tmp_path / "cargo" / "torch"
    folder.mkdir(parents=True)
    monkeypatch.setattr(paths, "kernels", lambda: folder.parent)
    (folder / "kernel.toml").write_text(TOML)
    names = [
        *(field.name for field in dataclasses.fields(TrainConfig)),
        "name",
        "run_id",
        "bundle_sha256",
        "source_commit",
    ]
    head = '# %% tags=["parameters"]\n' + "".join(f"{name} = None\n" for name in names)

    def write(code):
        (folder / "notebook.py").write_text(f'{head}\n# %% tags=["shared"]\n{SCRATCH}\n# %%\n{code}\n')
        return spec.load("torch")

    return write


LEAVES_A_MODEL = f"""
import hashlib, json
from pathlib import Path
Path("model.pth").write_bytes(b"weights")
print("trained")
facts = {FACTS!r} | {{"schema": 1, "run_id": run_id, "bundle_sha256": bundle_sha256, "name": name, "created_at": "now"}}
files = {{"model.pth": {{"sha256": hashlib.sha256(b"weights").hexdigest(), "bytes": 7}}}}
Path("manifest.json").write_text(json.dumps(facts | {{"files": files}}))
"""

TOML = """
slug = "k2l-mine"
title = "k2l mine"
accelerator = "none"
time_limit = 60
[data_sources]
digits = []
mnist = ["no/such-set"]
"""
SCRATCH = """
import os, tempfile
CODE = tempfile.mkdtemp()
os.mkdir(CODE + "/shared")
"""

CONFIG = TrainConfig.create(dataset="digits")


def cargo_of(kernel, config=CONFIG):
    return push.prepare(kernel, name="mine", config=config)


def finished(emulator, files, *, stated=None, state="complete", **changes) -> Run:
    """A run whose version has ended on the emulator with these files, without anything having run."""
    run = Run(
        run_id="r1", remote="emulator", owner=emulator.username, slug="k2l-mine", name="mine", framework="torch",
        dataset="digits", bundle_sha256="b", source_commit="", parameters={}, version=1, state=state,
    )  # fmt: skip
    listed = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)} for name, content in files.items()
    }
    facts = {**FACTS, "schema": 1, "run_id": "r1", "bundle_sha256": "b", "name": "mine", "created_at": "now"}
    text = json.dumps({**facts, "files": listed if stated is None else stated, **changes}).encode()
    emulator.finished("k2l-mine", {**files, "manifest.json": text})
    return run.record()


def test_a_training_goes_there_and_comes_back_proven(emulator, service, kernel):
    one = push.push(service, cargo_of(kernel(LEAVES_A_MODEL)))
    assert (one.state, one.version, runs.get(one.run_id)) == ("pushed", 1, one)
    states, logged = [], []
    one = watch.watch(service, one, on_status=states.append, on_log=logged.append)
    assert (one.state, states[-1]) == ("complete", "COMPLETE")
    assert "trained" in one.log.read_text()
    one, left_out = pull.pull(service, one)
    assert (one.state, left_out) == ("pulled", [])
    stated = manifest.verify(paths.models() / "mine")
    assert sorted(stated["files"]) == ["model.pth", "notebook.ipynb", "run.log"]
    assert (stated["run_id"], stated["bundle_sha256"]) == (one.run_id, one.bundle_sha256)
    assert not one.stage.exists()


def test_the_same_push_twice_is_one_push(emulator, service, kernel):
    cargo = kernel("import time; time.sleep(60)")
    one = push.push(service, cargo_of(cargo))
    assert push.push(service, cargo_of(cargo)) == one
    assert service.current_version("k2l-mine") == 1
    other = push.push(service, cargo_of(cargo), again=True)
    assert (other.version, service.current_version("k2l-mine")) == (2, 2)


def test_a_push_whose_answer_was_lost_is_found_again_and_not_repeated(emulator, service, kernel, monkeypatch):
    send = service.push

    def lose(*arguments):
        send(*arguments)
        raise client.PushLostError("lost")

    monkeypatch.setattr(service, "push", lose)
    one = push.push(service, cargo_of(kernel("1")))
    assert (one.state, one.version, service.current_version("k2l-mine")) == ("pushed", 1, 1)


def test_a_push_killed_before_its_receipt_was_written_goes_on(emulator, service, kernel, monkeypatch):
    cargo = kernel("1")
    record = Run.record

    def killed(run, **changes):
        if changes.get("state") == "pushed":
            raise KeyboardInterrupt
        return record(run, **changes)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "record", killed)
        with pytest.raises(KeyboardInterrupt):
            push.push(service, cargo_of(cargo))
    assert [one.state for one in runs.every()] == ["intended"]
    one = push.push(service, cargo_of(cargo))
    assert (one.version, len(runs.every()), service.current_version("k2l-mine")) == (1, 1, 1)


def test_a_push_that_never_left_is_sent_by_the_next(emulator, service, kernel, monkeypatch):
    def lose(*arguments):
        raise client.PushLostError("lost")

    cargo = kernel("1")
    with monkeypatch.context() as patch:
        patch.setattr(service, "push", lose)
        with pytest.raises(client.PushLostError, match="did not arrive"):
            push.push(service, cargo_of(cargo))
    one = push.push(service, cargo_of(cargo))
    assert (one.version, len(runs.every())) == (1, 1)


def test_a_refusal_with_http_200_fails_the_push(emulator, service, kernel):
    """Two GPU sessions may run at once; the third is refused in the body of an answer that is fine otherwise."""
    cargo = cargo_of(dataclasses.replace(kernel("import time; time.sleep(60)"), accelerator="NvidiaTeslaT4"))
    for _ in range(2):
        push.push(service, cargo, again=True)
    with pytest.raises(RefusedError, match="Maximum batch GPU session"):
        push.push(service, cargo, again=True)
    assert [one.state for one in runs.every()] == ["pushed", "pushed", "failed"]
    assert service.current_version("k2l-mine") == 2


def test_a_kernel_filed_under_another_slug_fails_the_push(emulator, service, kernel):
    cargo = cargo_of(dataclasses.replace(kernel("1"), title="Another title altogether here"))
    with pytest.raises(KernelError, match="filed as 'another-title-altogether-here'"):
        push.push(service, cargo)
    assert runs.every()[-1].state == "failed"


def test_without_gpu_time_nothing_is_pushed(emulator, service, kernel, monkeypatch):
    spent = client.Quota(used=timedelta(hours=30), total=timedelta(hours=30), refresh=None)
    monkeypatch.setattr(service, "quota", lambda: spent)
    with pytest.raises(RefusedError, match=r"no GPU time is left.*30 h.*\n.*--accelerator none"):
        push.push(service, cargo_of(dataclasses.replace(kernel("1"), accelerator="NvidiaTeslaT4")))
    assert runs.every() == []


def test_a_push_without_its_data_fails_and_says_how_to_end_the_run(emulator, service, kernel):
    with pytest.raises(KernelError, match=r"no/such-set.*\n.*k2l cancel") as caught:
        push.push(service, cargo_of(kernel("1"), dataclasses.replace(CONFIG, dataset="mnist")))
    assert len(str(caught.value).splitlines()) == 2
    assert runs.every()[-1].state == "failed"


def test_a_failing_cell_is_named_and_the_log_kept(emulator, service, kernel):
    one = push.push(service, cargo_of(kernel('print("so far")\nraise ValueError("the ink ran out")')))
    with pytest.raises(RunError, match="ValueError: the ink ran out") as caught:
        watch.watch(service, one)
    one = runs.get(one.run_id)
    assert one.state == "failed"
    assert "so far" in one.log.read_text() and str(one.log) in str(caught.value)
    assert not paths.models().exists()


def test_an_older_versions_end_is_not_taken_for_ours(emulator, service, kernel):
    emulator.finished("k2l-mine")
    one = push.push(service, cargo_of(kernel("import time; time.sleep(1)")))
    assert one.version == 2
    assert service.status("k2l-mine", 1).state == "COMPLETE"
    assert service.status("k2l-mine", 2).state in ("QUEUED", "RUNNING")
    seen = []
    watch.watch(service, one, on_status=seen.append)
    assert seen[0] != "COMPLETE"


def test_nobody_pushes_for_another(emulator, monkeypatch):
    monkeypatch.setattr(connect, "_connect_emulator", lambda: connect.at_loopback(emulator.url, username="me", key="k"))
    with pytest.raises(CredentialsError, match="'somebody' is not the user of the credentials, 'me'"):
        connect.connect("emulator", username="somebody")


def test_wrong_credentials_are_told_with_the_services_words(emulator, kernel):
    stranger = connect.at_loopback(emulator.url, username=emulator.username, key="wrong")
    with pytest.raises(CredentialsError, match="HTTP 401"):
        push.push(stranger, cargo_of(kernel("1")))


def test_an_emulator_is_never_anywhere_else():
    with pytest.raises(KernelError, match="not on this machine"):
        connect.at_loopback("https://api.kaggle.com", username="me", key="k")


def test_a_service_that_is_gone_is_told_in_a_line(emulator, service, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    emulator.leave()
    with pytest.raises(ServiceError, match=r"cannot be reached.*refused") as caught:
        service.status("k2l-mine", 1)
    assert "object at 0x" not in str(caught.value)
    emulator.start()


def test_files_of_many_pages_all_come(emulator, service):
    files = {f"plots/{n:03d}.png": bytes([n % 256]) * n for n in range(230)}
    _, left_out = pull.pull(service, finished(emulator, files))
    assert left_out == []
    assert len(manifest.verify(paths.models() / "mine")["files"]) == 231


def test_files_that_the_manifest_does_not_name_are_left_out_and_told(emulator, service):
    stated = {"a": {"sha256": hashlib.sha256(b"a").hexdigest(), "bytes": 1}}
    _, left_out = pull.pull(service, finished(emulator, {"a": b"a", "extra.bin": b"?"}, stated=stated))
    assert left_out == ["extra.bin"]
    assert not (paths.models() / "mine" / "extra.bin").exists()


def installed_nothing() -> bool:
    return not paths.models().exists() or not any(paths.models().iterdir())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"run_id": "r0"}, "another run's answer"),
        ({"bundle_sha256": "other"}, "another run's answer"),
        ({"schema": 7}, "schema 7"),
        ({"stated": {"gone": {"sha256": "0" * 64, "bytes": 1}}}, "gone, but the service has no such file"),
        ({"stated": {"../evil": {"sha256": "0" * 64, "bytes": 1}}}, "leaves its folder"),
        ({"stated": {"a": {"sha256": "0" * 64, "bytes": 1}}}, "not those the manifest vouches for"),
    ],
    ids=str,
)
def test_what_cannot_be_proven_is_not_installed(emulator, service, changes, said):
    with pytest.raises(KernelError, match=said):
        pull.pull(service, finished(emulator, {"a": b"a"}, **changes))
    assert installed_nothing()


def test_a_run_without_manifest_is_not_installed(emulator, service):
    one = finished(emulator, {})
    emulator.finished("k2l-mine", {"model.pth": b"half"})
    with pytest.raises(KernelError, match=r"left no manifest\.json.*It left: .*model\.pth"):
        pull.pull(service, dataclasses.replace(one, version=2))
    assert installed_nothing()


def test_more_bytes_than_allowed_are_refused(emulator, service):
    with pytest.raises(KernelError, match="--max-bytes"):
        pull.pull(service, finished(emulator, {"a": b"a" * 1000}), max_bytes=999)
    assert installed_nothing()


def test_an_interrupted_pull_goes_on_where_it_was(emulator, service, monkeypatch):
    content = bytes(range(256)) * 4000
    one = finished(emulator, {"big.bin": content, "small": b"s"})
    one.stage.mkdir(parents=True)
    (one.stage / "small").write_bytes(b"s")
    (one.stage / "big.bin.part").write_bytes(content[:600_000])
    asked = []
    download = service.download
    monkeypatch.setattr(
        service, "download", lambda url, start=0: asked.append((url, start)) or download(url, start=start)
    )
    pull.pull(service, one)
    manifest.verify(paths.models() / "mine")
    assert [start for url, start in asked if "big.bin" in url] == [600_000]
    assert not any("small" in url for url, _ in asked)


def test_a_wrong_part_is_fetched_anew(emulator, service):
    one = finished(emulator, {"a": b"right answer"})
    one.stage.mkdir(parents=True)
    (one.stage / "a.part").write_bytes(b"wrong")
    pull.pull(service, one)
    assert (paths.models() / "mine" / "a").read_bytes() == b"right answer"


def test_a_model_that_was_there_is_kept_aside(emulator, service):
    old = paths.models() / "mine"
    old.mkdir(parents=True)
    (old / "model.pth").write_bytes(b"old")
    one = finished(emulator, {"a": b"a"})
    done, _ = pull.pull(service, one)
    assert not (paths.models() / "mine" / "model.pth").exists()
    pull.pull(service, one)  # killed before the journal knew: nothing is fetched, nothing moved
    pull.pull(service, done, again=True)
    kept = sorted(path.name for path in one.folder.glob("replaced*"))
    assert kept == ["replaced", "replaced-2"]
    assert (one.folder / "replaced" / "model.pth").read_bytes() == b"old"


def test_models_never_shows_half_a_folder(emulator, service):
    one = finished(emulator, {f"{n}.bin": bytes(50_000) for n in range(40)})
    seen, done = set(), threading.Event()

    def look():
        while not done.is_set():
            folder = paths.models() / "mine"
            seen.add(len(list(folder.iterdir())) if folder.exists() else 0)

    watcher = threading.Thread(target=look)
    watcher.start()
    pull.pull(service, one)
    done.set()
    watcher.join()
    assert seen <= {0, 42}  # forty files, the manifest and the log, or nothing


def test_two_commands_for_one_model_do_not_race(home):
    with runs.lock("mine"), pytest.raises(KernelError, match="another command of k2l"):
        runs.lock("mine")
    with runs.lock("mine"):
        pass


def test_an_end_that_another_command_saw_first_is_not_written_over(emulator, service):
    one = finished(emulator, {"a": b"a"}, state="pushed")
    one.record(state="done")
    assert watch.watch(service, one).state == "done"


def test_a_short_outage_does_not_end_the_watch(emulator, service, monkeypatch):
    one = finished(emulator, {"a": b"a"}, state="pushed")
    status, down = service.status, [client.OutOfReachError("no route")] * 3

    def flaky(*arguments):
        if down:
            raise down.pop()
        return status(*arguments)

    monkeypatch.setattr(service, "status", flaky)
    seen = []
    assert watch.watch(service, one, on_status=seen.append, sleep=lambda seconds: None).state == "complete"
    assert seen == ["OUT OF REACH", "COMPLETE"]
    monkeypatch.setattr(service, "status", lambda *arguments: (_ for _ in ()).throw(client.OutOfReachError("gone")))
    with pytest.raises(ServiceError, match="gone"):
        watch.watch(service, one.record(state="pushed"), sleep=lambda seconds: None)


def test_a_failure_whose_log_comes_late_is_still_named(emulator, service, monkeypatch):
    one = finished(emulator, {}, state="pushed")
    monkeypatch.setattr(service, "status", lambda *arguments: client.Status(state="ERROR"))
    logs = ["ValueError: late", "", ""]
    monkeypatch.setattr(service, "outputs", lambda *arguments: ([], logs.pop()))
    with pytest.raises(RunError, match="ValueError: late"):
        watch.watch(service, one, sleep=lambda seconds: None)


def test_cancel_saves_the_log_and_ends_every_run_of_the_kernel(emulator, service, kernel):
    first, second = (
        push.push(service, cargo_of(kernel(f'print("so far"); import time; time.sleep({60 + n})'))) for n in range(2)
    )
    deadline = time.monotonic() + 20
    while service.status(first.slug, 1).state != "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert cancel.beside(first) == [second]
    assert [one.state for one in cancel.cancel(service, first)] == ["cancelled", "cancelled"]
    assert service.current_version(first.slug) == 0
    with pytest.raises(KernelError, match="nothing to end"):
        cancel.cancel(service, runs.get(first.run_id))


def test_runs_are_found_by_the_beginning_of_their_id():
    with pytest.raises(KernelError, match="there is no run '2'"):
        runs.get("2")
    one = Run(
        run_id="20260101-1", remote="kaggle", owner="me", slug="k2l-mine", name="mine", framework="torch",
        dataset="digits", bundle_sha256="b", source_commit="", parameters={},
    )  # fmt: skip
    runs.intend(one, "{}")
    runs.intend(dataclasses.replace(one, run_id="20260101-2"), "{}")
    assert runs.get("20260101-1").notebook.read_text() == "{}"
    with pytest.raises(KernelError, match="2 runs begin with '2026'"):
        runs.get("2026")
    with pytest.raises(KernelError, match="no run is complete"):
        runs.latest("complete")
    assert (
        runs.unfinished(remote="kaggle", owner="me", slug="k2l-mine", name="mine", bundle_sha256="b").run_id[-1] == "2"
    )
    assert runs.unfinished(remote="emulator", owner="me", slug="k2l-mine", name="mine", bundle_sha256="b") is None


def test_a_damaged_journal_names_its_file(home):
    (runs.folder() / "x").mkdir(parents=True)
    (runs.folder() / "x" / "run.json").write_text('{"run_id": ')
    with pytest.raises(KernelError, match=r"x/run\.json is damaged"):
        runs.every()


def test_questions_are_asked_soon_at_first_and_rarely_later():
    waits, passed = [], 0.0
    for wait in watch.intervals():
        waits.append(wait)
        passed += wait
        if passed > 3600:
            break
    assert (waits[0], waits[-1]) == (0.5, 15)
    assert all(wait <= max(0.5, sum(waits[:n]) / 60) for n, wait in enumerate(waits))
    assert len(waits) < 600


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", "the log is empty"),
        ("a\nb\n", "b"),
        ("\x1b[0;31mValueError\x1b[0m: no ink\n\nother remarks", "ValueError: no ink"),
        ("KeyError: 1\nshared.errors.DataError: none here", "shared.errors.DataError: none here"),
        ("ValueError: x\npapermill.exceptions.PapermillExecutionError: \n---", "ValueError: x"),
    ],
)
def test_the_error_is_found_in_a_log(log, said):
    assert watch.failure(log) == said
