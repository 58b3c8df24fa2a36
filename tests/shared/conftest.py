import pytest


@pytest.fixture
def bare_machine(tmp_path, monkeypatch):
    """Nowhere to look but below tmp_path, and no network."""
    for name in ("K2L_DATA", "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("K2L_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(
        "shared.data.download.download", lambda name, folder, **_: "could not be downloaded (no network)"
    )
    monkeypatch.chdir(tmp_path)
