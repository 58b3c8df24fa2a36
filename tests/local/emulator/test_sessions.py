"""Pushes are really executed, alone, in an empty folder; whatever happens is on disk."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import nbformat
import psutil
import pytest

from local.emulator.sessions import sandbox, session

ISOLATED = """
import importlib, os, subprocess, sys
assert os.listdir() == [], os.listdir()
assert os.getcwd().endswith(os.path.join("kaggle", "working"))
assert os.environ["KAGGLE_KERNEL_RUN_TYPE"] == "Batch"
assert [name for name in os.environ if name.startswith(("K2L_", "KAGGLE_"))] == ["KAGGLE_KERNEL_RUN_TYPE"]
for name in ("shared", "local", "scripts", "tests"):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        continue
    raise AssertionError(f"{name} can be imported")
assert subprocess.run([sys.executable, "-c", "import shared"], capture_output=True).returncode == 1
os.makedirs("shared")
open("shared/__init__.py", "w").write("ours = False")
importlib.invalidate_caches()
import shared
assert shared.ours is False
"""


EDITABLE = """
import importlib.util, os, sys
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        init = os.path.join({checkout!r}, name, "__init__.py")
        return importlib.util.spec_from_file_location(name, init) if os.path.exists(init) else None
sys.path.append({checkout!r})
sys.meta_path.append(Finder)
"""


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has collected yet has."""
    for _ in range(500):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_a_notebook_runs_alone_within_seconds(emulator, monkeypatch):
    monkeypatch.setenv("K2L_DATA", "/secret")
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    began = time.monotonic()
    emulator.push("all-alone", ISOLATED)
    assert emulator.wait("all-alone") == "COMPLETE", emulator.outputs("all-alone")["log"]
    assert time.monotonic() - began < 20  # 1.1 s on two idle cores


def test_a_notebook_sees_no_secret_of_the_callers_environment(emulator, monkeypatch):
    names = ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "ANYTHING")
    for name in names:
        monkeypatch.setenv(name, f"secret-of-{name}")
    emulator.push("looks-around", "import os\nprint(dict(os.environ))", "!env", "%env")
    assert emulator.wait("looks-around") == "COMPLETE"
    everything = [path for path in emulator.version("looks-around").folder.rglob("*") if path.is_file()]
    assert "KAGGLE_KERNEL_RUN_TYPE" in emulator.said("looks-around")
    assert not [path for path in everything if b"secret-of-" in path.read_bytes()]
    assert not [path for path in everything if emulator.key.encode() in path.read_bytes()]


@pytest.mark.usefixtures("plain_sessions")
def test_what_a_notebook_writes_for_itself_alone_is_gone_when_it_ends(emulator):
    # A manager's socket lies in the folder of temporary files: a path of more than a hundred characters is refused.
    emulator.push("scratch", "import multiprocessing, tempfile; multiprocessing.Manager(); print(tempfile.mkdtemp())")
    assert emulator.wait("scratch") == "COMPLETE", emulator.outputs("scratch")["log"]
    scratch = Path(emulator.said("scratch").strip()).parent
    assert scratch.name.startswith("k2l-") and scratch.parent.is_dir() and not scratch.exists()


def test_an_editable_installation_does_not_lead_into_a_session(emulator):
    # What `pip install -e` can leave behind: the checkout on the path, or a finder of its own.
    wall = emulator.state / "sandbox" / "sitecustomize.py"
    checkout = Path(__file__).parents[3]
    wall.write_text(EDITABLE.format(checkout=str(checkout)) + wall.read_text())
    emulator.push("all-alone", "import sys\nprint(sys.path)", ISOLATED)
    assert emulator.wait("all-alone") == "COMPLETE", emulator.outputs("all-alone")["log"]
    assert repr(str(checkout)) not in emulator.said("all-alone")


def test_an_installation_does_not_lead_into_a_session(tmp_path):
    # Where we are installed lies what a notebook needs as well.
    packages = tmp_path / "site-packages"
    for name in ("shared/__init__.py", "local/emulator/sessions/sandbox.py", "needed.py"):
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text("", encoding="utf-8")
    shutil.copyfile(sandbox.__file__, tmp_path / "sitecustomize.py")
    code = "import needed\ntry:\n    import shared\nexcept ModuleNotFoundError:\n    print('alone')"
    environment = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{packages}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "alone\n", done.stderr


def test_an_executed_notebook_is_saved_once_a_second_and_in_the_end(monkeypatch):
    from papermill import engines

    saved = []
    monkeypatch.setattr(engines, "write_ipynb", lambda nb, path: saved.append(path))
    manager = engines.NotebookExecutionManager(
        nbformat.v4.new_notebook(), output_path="executed.ipynb", progress_bar=False
    )

    def cells(cls, nb_man, kernel_name):
        for seconds in (0.2, 0.4, 0.6):
            nb_man.now = lambda at=start + timedelta(seconds=2 * seconds): at
            nb_man.save()

    start = manager.last_save_time
    monkeypatch.setattr(engines.NBClientEngine, "execute_managed_notebook", classmethod(cells))
    session.engine().execute_managed_notebook(manager, "python3")
    assert len(saved) == 1  # after 1.2 seconds, neither after 0.4 nor after 0.8
    manager.save()
    assert len(saved) == 2


def test_a_failing_cell_leaves_its_traceback_and_what_was_written(emulator):
    emulator.push("failing-run", "open('before.txt', 'w').write('kept')\nprint('said')", "1 / 0", "print('never')")
    assert emulator.wait("failing-run") == "ERROR"
    assert emulator.said("failing-run") == "said\n"
    assert "ZeroDivisionError: division by zero" in emulator.said("failing-run", "stderr")
    assert 'Exception encountered at "In [2]"' in emulator.said("failing-run", "stderr")
    files = {item["fileName"]: item["url"] for item in emulator.outputs("failing-run")["files"]}
    assert sorted(files) == ["__notebook__.ipynb", "before.txt"]
    executed = json.loads(emulator.http.get(files["__notebook__.ipynb"]).content)
    assert any(cell.get("outputs") for cell in executed["cells"])
    assert str(emulator.state) not in json.dumps(executed["metadata"])  # where it lies here is nobody's business


@pytest.mark.parametrize(("code", "status"), [("0", "COMPLETE"), ("3", "ERROR")])
def test_leaving_with_a_code_decides_the_status(emulator, code, status):
    emulator.push("leaving-run", f"import sys\nsys.exit({code})")
    assert emulator.wait("leaving-run") == status


def test_a_notebook_without_kernelspec_fails_with_a_message(emulator, notebook):
    emulator.push("no-kernelspec", text=notebook("print(1)", kernelspec=False))
    assert emulator.wait("no-kernelspec") == "ERROR"
    answer = emulator.call("GetKernelSessionStatus", userName=emulator.username, kernelSlug="no-kernelspec")
    assert "kernel name" in answer.json()["failureMessage"]


def test_the_time_limit_ends_a_session_with_all_it_started(emulator):
    code = "import subprocess\nchild = subprocess.Popen(['sleep', '60'])\nprint(child.pid, flush=True)"
    for seconds in (3, 12, 48):  # a busy machine starts kernels slowly
        slug = f"too-long-{seconds}"
        emulator.push(slug, code, "child.wait()", sessionTimeoutSeconds=seconds)
        assert emulator.wait(slug, patience=seconds + 30) == "ERROR"
        if emulator.said(slug):
            break
    answer = emulator.call("GetKernelSessionStatus", userName=emulator.username, kernelSlug=slug).json()
    assert "max allowed execution duration" in answer["failureMessage"]
    assert gone(int(emulator.said(slug)))


def test_cancelling_keeps_what_was_written(emulator):
    emulator.push("to-cancel", "open('half.txt', 'w').write('half')\nimport time\ntime.sleep(60)")
    version = emulator.version("to-cancel")
    deadline = time.monotonic() + 20
    while "half.txt" not in version.outputs() and time.monotonic() < deadline:
        time.sleep(0.05)
    pid = version.status()["pid"]
    assert emulator.call("CancelKernelSession", kernelSessionId=version.session_id).status_code == 200
    assert emulator.status("to-cancel") == "CANCEL_ACKNOWLEDGED"
    assert "half.txt" in {item["fileName"] for item in emulator.outputs("to-cancel")["files"]}
    assert gone(pid)


@pytest.mark.usefixtures("plain_sessions")
def test_deleting_ends_the_session_and_the_kernel_is_unknown_after(emulator):
    emulator.push("to-delete", "import time\ntime.sleep(60)")
    emulator.wait("to-delete", wanted=frozenset({"RUNNING"}))
    pid = emulator.version("to-delete").status()["pid"]
    assert emulator.call("DeleteKernel", userName=emulator.username, kernelSlug="to-delete").status_code == 200
    answer = emulator.call("GetKernelSessionStatus", userName=emulator.username, kernelSlug="to-delete")
    assert answer.status_code == 403
    assert gone(pid)
    assert emulator.store.live() == []


@pytest.mark.usefixtures("plain_sessions")
def test_a_killed_server_loses_nothing(emulator):
    emulator.push("outlives-it", "import time\ntime.sleep(0.7)\nprint('done')\nopen('out.txt', 'w').write('1')")
    emulator.wait("outlives-it", wanted=frozenset({"RUNNING"}))
    before = (emulator.url, emulator.key)
    emulator.leave()
    emulator.start()
    assert (emulator.url, emulator.key) == before
    assert emulator.wait("outlives-it") == "COMPLETE"
    assert emulator.said("outlives-it") == "done\n"


@pytest.mark.usefixtures("plain_sessions")
def test_what_was_filed_but_not_started_is_started_after_a_restart(emulator, monkeypatch):
    monkeypatch.setattr(emulator.store, "start", lambda version: None)
    emulator.push("left-behind", "print(1)")
    emulator.leave()
    emulator.start()
    assert emulator.wait("left-behind") == "COMPLETE"


@pytest.mark.usefixtures("plain_sessions")
def test_a_session_whose_process_died_is_an_error(emulator):
    emulator.push("dies-early", "import time\ntime.sleep(60)")
    emulator.wait("dies-early", wanted=frozenset({"RUNNING"}))
    pid = emulator.version("dies-early").status()["pid"]
    emulator.leave()
    psutil.Process(pid).kill()
    emulator.start()
    assert emulator.wait("dies-early") == "ERROR"
    answer = emulator.call("GetKernelSessionStatus", userName=emulator.username, kernelSlug="dies-early").json()
    assert "process died" in answer["failureMessage"]


@pytest.mark.usefixtures("plain_sessions")
def test_the_log_streams_while_the_notebook_runs(emulator):
    emulator.push("live-log", "import time\nprint('first', flush=True)\ntime.sleep(0.5)\nprint('second')")
    emulator.wait("live-log", wanted=frozenset({"RUNNING"}))
    url = f"{emulator.url}/api/v1/kernels/logs/stream/{emulator.username}/live-log"
    with emulator.http.get(url, auth=(emulator.username, emulator.key), stream=True, timeout=30) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in response.iter_lines(decode_unicode=True) if line]
    assert lines[-1] == "data: END_OF_LOG"
    said = "".join(json.loads(line.removeprefix("data: "))["data"] for line in lines[:-1])
    assert said == "first\nsecond\n"
    stored = emulator.http.get(url, auth=(emulator.username, emulator.key), timeout=30)
    assert stored.headers["content-type"] == "application/json"
    assert "".join(record["data"] for record in stored.json()) == said


@pytest.mark.usefixtures("plain_sessions")
def test_two_sessions_run_at_once(emulator):
    threads = [threading.Thread(target=emulator.push, args=(f"side-by-{n}", "print(1)")) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {emulator.wait(f"side-by-{n}") for n in range(2)} == {"COMPLETE"}
