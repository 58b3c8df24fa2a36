"""The walls of the house: who imports whom, what starts without what, and what no file may be."""

import ast
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.core import workspace

ROOT = workspace.CHECKOUT
LAYERS = ("shared", "local", "scripts", "tests")
FRAMEWORKS = {"torch", "tensorflow", "keras", "kaggle"}
DEPENDENCIES = {
    "torch", "torchvision", "tensorflow", "keras", "kaggle", "kagglesdk", "papermill", "jupytext", "nbformat", "cv2",
    "opencv", "onnx", "onnxruntime", "onnxscript", "numpy", "sklearn", "matplotlib", "typer", "rich",
    "optuna", "ai_edge_litert", "triton", "starlette", "uvicorn", "requests", "urllib3", "slugify", "filelock",
    "psutil",
}  # fmt: skip
# Each file of shared/ may use its own few packages, so that it runs in the notebook and starts fast here.
STDLIB = set(sys.stdlib_module_names)
NUMPY_ONLY = {
    "datasets", "splits", "mnist_layouts", "sklearn_digits", "idx", "preprocessing", "metrics", "loop",
    "weights", "numpy_forward", "attribution", "explanation",
}  # fmt: skip
STDLIB_ONLY = {"config", "manifest", "architectures", "errors", "files", "printable", "download", "registry"}


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path, *, top_only: bool = False) -> Iterator[str]:
    """The modules a file imports, in functions too unless `top_only`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def roots(path: Path, **options: bool) -> set[str]:
    return {name.split(".")[0] for name in imports(path, **options)}


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_run_one_way(layer):
    above = set(LAYERS[LAYERS.index(layer) + 1 :]) | {"tests"} - {layer}
    for path in sources(layer):
        assert not roots(path) & (above - {layer}), path


def test_nobody_imports_the_kaggle_package():
    """It logs in, at production, while it is imported; the SDK below it does not, and is known to three modules."""
    for layer in ("shared", "local", "scripts"):
        for path in sources(layer):
            assert "kaggle" not in roots(path), path
    inside = {path.relative_to(ROOT).as_posix() for path in sources("local") if "kagglesdk" in roots(path)}
    ours = {name for name in inside if not name.startswith("local/emulator/")}
    assert ours == {f"local/{name}.py" for name in ("kaggle_api/client", "jobs/connect", "kaggle_api/models_api")}


def test_a_framework_is_imported_by_its_own_files_alone():
    for path in sources("shared"):
        used = roots(path) & {"torch", "tensorflow", "keras"}
        assert not (used and path.stem.rpartition("_")[2] not in ("torch", "keras")), path
        assert not ("torch" in used and used & {"keras", "tensorflow"}), path


def test_shared_files_need_no_more_than_they_say():
    for path in sources("shared"):
        outside = roots(path, top_only=True) - STDLIB - {"shared"}
        allowed = set() if path.stem in STDLIB_ONLY else {"numpy"} if path.stem in NUMPY_ONLY else outside
        assert outside <= allowed, (path, outside)


def test_the_cargo_is_no_package():
    assert not list((ROOT / "kaggle").rglob("__init__.py"))


def test_no_file_bears_a_dependencys_name():
    for layer in LAYERS[:3]:
        assert not [path for path in sources(layer) if path.stem in DEPENDENCIES]


def test_only_scripts_print_or_exit():
    for layer in ("shared", "local"):
        for path in sources(layer):
            calls = {
                node.func.id
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            assert not calls & {"print", "exit", "input"}, path


def test_what_is_printed_goes_through_the_edge():
    """There text from outside is made safe. The others print what they have made safe themselves, or what is ours."""
    printing = re.compile(r"\bprint\(|\bstd(out|err)\.write|\.print\(|\becho\(")
    found = {path.name for path in sources("scripts") if printing.search(path.read_text(encoding="utf-8"))}
    assert found == {"ask.py", "output.py", "tables.py", "camera.py", "data.py", "log.py"}


def test_the_top_level_is_as_the_design_has_it():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    top = {name.split("/")[0] for name in tracked.splitlines()}
    assert top <= {
        "kaggle", "local", "shared", "models", "scripts", "tests", "requirements.txt", "README.md", "pyproject.toml",
        "Makefile", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "docs", ".ci", ".gitignore", ".github",
        "constraints.txt", ".pre-commit-config.yaml",
    }  # fmt: skip


def paths_of_this_machine() -> list[str]:
    """Folders that no other machine need have. Those of one name, such as /data, and the temporary one, others have."""
    known = [ROOT, ROOT.parent, *(Path(os.environ[name]) for name in ("K2L_DATA", "K2L_PHOTOS") if name in os.environ)]
    common = {Path(tempfile.gettempdir()), Path(tempfile.gettempdir()).resolve()}
    return [f"{folder}/" for folder in known if len(folder.parts) > 2 and folder not in common]


def test_no_path_of_one_machine_is_in_the_tree():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".txt", ".ipynb", ".json") and path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not [folder for folder in paths_of_this_machine() if folder in text], name
            assert not re.search(r"/(home|Users)/\w+/", text), name


def loaded(*command: str) -> set[str]:
    """The packages in memory at the end of a fresh process."""
    code = (
        "import sys, runpy, io, contextlib\n"
        f"sys.argv = {list(command)!r}\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    runpy.run_module(sys.argv[0], run_name='__main__')\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["shared.training.config", "shared.core.manifest", "shared.networks.architectures", "scripts"]
)
def test_the_light_modules_load_nothing_heavy(module):
    assert not loaded(module) & (FRAMEWORKS | {"numpy", "kagglesdk", "cv2", "matplotlib"})


@pytest.mark.parametrize(
    "arguments",
    [(), ("--help",), ("--version",), *((verb, "--help") for verb in ("loop", "predict", "web"))],
    ids=" ".join,
)
def test_help_loads_nothing_heavy(arguments):
    assert not loaded("scripts", *arguments) & (FRAMEWORKS | {"numpy", "kagglesdk", "cv2", "matplotlib"})


def test_nothing_here_makes_a_folder_in_home(tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path)}
    code = "from local.kaggle_api import credentials; credentials.find()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
    assert not list(tmp_path.iterdir())
