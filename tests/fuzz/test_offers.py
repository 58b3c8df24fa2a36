"""Whatever a service offers to be pulled: the model's own files in their own folder, or a line and nothing anywhere."""

import hashlib
import json
import shutil
import time
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local.core import workspace
from local.jobs import pull
from local.runs.journal import Run
from shared.core import manifest
from tests.fuzz.answering import Answering, Said
from tests.fuzz.malformed import DEEP, anything, everything, json_values, mutated, names, told
from tests.local import trips

CONTENT = b"weights"
STATED = {"sha256": hashlib.sha256(CONTENT).hexdigest(), "bytes": len(CONTENT)}
FACTS = {**trips.FACTS, "schema": 1, "run_id": "r1", "bundle_sha256": "b", "name": trips.NAME, "created_at": "now"}

GOOD = json.dumps(FACTS | {"files": {"model.pth": STATED}}).encode()


@pytest.fixture(scope="module")
def there():
    """The service, for all of this module's tests."""
    with Answering() as one:
        yield one


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Repetitions do not wait here."""
    still = SimpleNamespace(sleep=lambda _: None, time=time.time, monotonic=time.monotonic)
    monkeypatch.setattr("urllib3.util.retry.time", still)
    monkeypatch.setattr("local.runs.download.time", still)
    monkeypatch.setattr("local.jobs.pull.LOOKS", ())


@pytest.fixture
def surroundings(tmp_path, monkeypatch):
    """What no pull may touch, two folders above where files are put; and a model of the same name."""
    home = tmp_path / "somewhere" / "home"
    monkeypatch.setenv("K2L_HOME", str(home))
    model = home / "models" / trips.NAME
    model.mkdir(parents=True)
    (model / "model.pth").write_bytes(b"old")
    (home / "models" / "another").mkdir()
    for folder in (tmp_path, home, home / "models"):
        (folder / "evil").write_bytes(b"good")
    return tmp_path


def pulled(there, listed, text, surroundings, content=CONTENT):
    """One pull of a run that left these files, a name and its address each; what it may not touch is as it was."""
    run = Run(
        run_id="r1", remote="emulator", owner="me", slug=trips.SLUG, name=trips.NAME, framework="torch",
        dataset="digits", bundle_sha256="b", source_commit="", parameters={}, version=1, state="complete",
    ).record()  # fmt: skip
    there.files |= {"/manifest": text, "/content": content}
    there.say({"files": [{"fileName": name, "url": url} for name, url in listed], "log": "it ran"})
    (workspace.state() / "install.lock").touch()  # there since the first installation
    mine = (run.folder, workspace.models() / trips.NAME)

    def others():
        found = everything(surroundings)
        return {path: held for path, held in found.items() if not any(path.is_relative_to(one) for one in mine)}

    before, old = others(), everything(mine[1])
    done = None
    try:
        with told():
            done, _ = pull.pull(there.client, run)
        assert others() == before
        if done is None:
            assert everything(mine[1]) == old
        else:
            there_now = {path for path, held in everything(mine[1]).items() if held is not None}
            assert there_now == {mine[1] / name for name in (manifest.NAME, *manifest.verify(mine[1]).files)}
        return done
    finally:
        for place in mine:
            shutil.rmtree(place)
        mine[1].mkdir()
        (mine[1] / "model.pth").write_bytes(b"old")


def both(there):
    """A listing of a model and its manifest."""
    return [("model.pth", f"{there.url}/content"), (manifest.NAME, f"{there.url}/manifest")]


def offered(there, names_, surroundings, **changes):
    """A pull of a run whose manifest and listing hold these names."""
    stated = FACTS | {"files": dict.fromkeys(names_, STATED)} | changes
    listed = [*((name, f"{there.url}/content") for name in names_), (manifest.NAME, f"{there.url}/manifest")]
    return pulled(there, listed, json.dumps(stated).encode(), surroundings)


def test_a_good_offer_is_taken(there, surroundings):
    assert offered(there, ["model.pth", "plots/a.png"], surroundings).state == "pulled"


@settings(max_examples=settings().max_examples // 2)
@given(st.lists(names | st.sampled_from(["../../evil", "../../../models/evil", "model.pth"]), max_size=4))
@example(["../../evil"])
@example(["../../../models/another/evil"])
@example(["a", "a/b"])
@example(["a", "a.part"])
@example(["a", "a.part/b"])
@example(["manifest.json/a"])
@example(["manifest.json.part/a"])
@example(["run.log/a"])
@example(["notebook.ipynb/a"])
@example(["notebook.ipynb.part/a", "__notebook__.ipynb"])
@example(["run.log", "notebook.ipynb"])
@example(["manifest.json"])
@example(["a" * 255])
@example(["/".join("abcdefgh" * 200)])
@example(["\ud800"])
def test_any_names_in_manifest_and_listing_stay_in_their_folder(there, surroundings, offer):
    offered(there, offer, surroundings)


@settings(max_examples=settings().max_examples // 2)
@given(st.lists(names, max_size=4))
@example(["../../evil", "\ud800", "\n\n", "a" * 10_000])
def test_any_names_in_the_listing_alone_are_left_out(there, surroundings, offer):
    listed = [(name, f"{there.url}/content") for name in ["model.pth", *offer] if name != manifest.NAME]
    assert pulled(there, [*listed, (manifest.NAME, f"{there.url}/manifest")], GOOD, surroundings)
    pulled(there, listed, GOOD, surroundings)


@settings(max_examples=settings().max_examples // 2)
@given(mutated(FACTS | {"files": {"model.pth": STATED}}) | json_values)
@example(FACTS | {"files": {"model.pth": STATED | {"bytes": 10**30}}})
@example(FACTS | {"files": {"model.pth": STATED | {"bytes": 10**9}}})
@example(FACTS | {"files": {"model.pth": STATED | {"bytes": 0}}})
@example(FACTS | {"files": {"model.pth": STATED}, "dataset": "\ud800"})
@example(FACTS | {"run_id": "r2\n\n\x1b[2J"})
def test_any_manifest_is_taken_whole_or_told(there, surroundings, stated):
    pulled(there, both(there), json.dumps(stated).encode(), surroundings)


@pytest.mark.parametrize("levels", [10, 100, 400, 900])
def test_a_manifest_of_lists_in_lists_is_taken_whole_or_told(there, surroundings, levels):
    """Python reads a thousand of them, and writes fewer."""
    text = GOOD.replace(b'"parameters": {}', b'"parameters": {"a": ' + b"[" * levels + b"]" * levels + b"}")
    assert text != GOOD
    done = pulled(there, both(there), text, surroundings)
    assert (done is not None) == (levels == 10)


@settings(max_examples=settings().max_examples // 2)
@given(st.binary(max_size=60))
@example(b"[" * DEEP)
def test_any_bytes_for_a_manifest_are_told(there, surroundings, text):
    pulled(there, [(manifest.NAME, f"{there.url}/manifest")], text, surroundings)


@settings(max_examples=settings().max_examples // 2)
@given(anything | st.sampled_from(["http://", "http://[", "file:///etc/passwd", "http://127.0.0.1:1/", "/content"]))
@example("http://127.0.0.1/\ud800")
def test_any_address_of_a_file_is_told(there, surroundings, url):
    pulled(there, [("model.pth", url), (manifest.NAME, f"{there.url}/manifest")], GOOD, surroundings)


answers = st.builds(
    Said,
    body=st.binary(max_size=20) | st.sampled_from([CONTENT, GOOD, CONTENT * 10_000]),
    status=st.sampled_from([200, 206, 204, 302, 401, 403, 404, 416, 500]),
    headers=st.fixed_dictionaries(
        {},
        optional={
            "Content-Length": st.sampled_from(["0", "5", "-1", "many", "²", "9" * 5000, "10000000000000"]),
            "Content-Encoding": st.sampled_from(["gzip", "identity", "x"]),
            "x-goog-hash": st.sampled_from(["md5=", "md5=====", "md5=a", "crc32c=a,md5=b"]),
            "Location": st.sampled_from(["", "/content", "http://["]),
        },
    ),
)


@settings(max_examples=settings().max_examples // 2)
@given(answers, st.booleans())
@example(Said(body=b"", status=416), True)
@example(Said(body=b"", status=416), False)
@example(Said(body=CONTENT, headers={"Content-Length": "²"}), False)
@example(Said(body=GOOD, headers={"Content-Length": "²"}), True)
@example(Said(body=b"a", headers={"Content-Length": "9" * 5000}), False)
@example(Said(body=CONTENT, status=206), False)
def test_any_answer_for_a_file_is_told(there, surroundings, said, for_manifest):
    if for_manifest:
        pulled(there, both(there), said, surroundings)
    else:
        pulled(there, both(there), GOOD, surroundings, content=said)


def test_what_a_broken_transfer_left_is_not_installed(there, surroundings):
    """The executed notebook is good to have, and breaks off here; an earlier pull has left something too."""
    stage = workspace.state() / "runs" / "r1" / "pull"
    (stage / "plots").mkdir(parents=True)
    (stage / "plots" / "stray.png.part").write_bytes(b"half")
    there.files["/notebook"] = Said(body=b"half", headers={"Content-Length": "5000"})
    listed = [*both(there), ("__notebook__.ipynb", f"{there.url}/notebook")]
    assert pulled(there, listed, GOOD, surroundings)
