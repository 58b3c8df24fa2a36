import pytest

from local.models import checkpoints
from local.models.checkpoints import Keeper, find
from shared.core.errors import ModelError
from shared.training.loop import Snapshot

TRAINING = {"framework": "torch", "parameters": {"epochs": 9, "batch_size": 64}, "bundle_sha256": "a"}


def save_state(state, file):
    file.write(state.encode())


def load_state(file):
    return file.read().decode()


def snapshot(epoch):
    rows = [{"epoch": n + 1, "validation_loss": 1 / 3 / (n + 1)} for n in range(epoch)]
    return Snapshot(history=rows, seconds=epoch / 3, cpu_seconds=epoch / 7, state=f"after {epoch}")


@pytest.fixture
def keeper(tmp_path, monkeypatch):
    """It writes each snapshot it is given."""
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)
    monkeypatch.setattr(checkpoints, "COST", float("inf"))
    return Keeper(tmp_path / "lite", TRAINING, save_state)


def test_the_latest_snapshot_comes_back_as_it_was(keeper):
    for epoch in (1, 2):
        keeper.take(snapshot(epoch))
    found = find(keeper.folder, TRAINING)
    assert (found.epoch, found.epochs, found.differs) == (2, 9, [])
    assert found.load(load_state) == snapshot(2)
    assert len(list(keeper.folder.iterdir())) == 2


def test_short_epochs_are_written_now_and_then_alone(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    keeper = Keeper(tmp_path, TRAINING, save_state)
    written = []
    for epoch in range(1, 13):
        now[0] += 1
        keeper.take(snapshot(epoch))
        found = find(tmp_path, TRAINING)
        written.append(found and found.epoch)
    assert written == [None] * 4 + [5] * 5 + [10] * 3
    keeper.write()  # interrupted
    assert find(tmp_path, TRAINING).epoch == 12


def test_a_slow_disk_is_written_to_less_often(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])

    def slowly(state, file):
        now[0] += 2

    keeper = Keeper(tmp_path, TRAINING, slowly)
    keeper.take(snapshot(1))
    keeper.write()
    assert keeper.due == 102 + 2 / checkpoints.COST


def test_one_that_could_not_be_written_leaves_the_one_before(keeper):
    keeper.take(snapshot(1))

    def full(state, file):
        file.write(b"half")
        raise OSError("no space left")

    keeper.save_state = full
    with pytest.raises(OSError, match="no space"):
        keeper.take(snapshot(2))
    assert find(keeper.folder, TRAINING).load(load_state) == snapshot(1)
    keeper.save_state = save_state
    keeper.write()
    assert find(keeper.folder, TRAINING).epoch == 2 and len(list(keeper.folder.iterdir())) == 2


def test_what_is_not_the_same_is_named(keeper):
    keeper.take(snapshot(1))
    changed = {**TRAINING, "parameters": {"epochs": 9, "batch_size": 32, "seed": 1}, "bundle_sha256": "b"}
    assert find(keeper.folder, changed).differs == ["batch_size was 64 and is 32", "seed was None and is 1"]
    assert find(keeper.folder, {**TRAINING, "framework": "keras"}).differs == ["framework was torch and is keras"]
    (said,) = find(keeper.folder, {**TRAINING, "bundle_sha256": "b"}).differs
    assert "training code" in said


def test_a_file_that_is_not_the_one_written_is_refused(keeper):
    keeper.take(snapshot(1))
    (state,) = keeper.folder.glob("state-*")
    state.write_bytes(b"after 7")
    with pytest.raises(ModelError, match=r"damaged.*from the start"):
        find(keeper.folder, TRAINING).load(load_state)
    state.unlink()
    with pytest.raises(ModelError, match="missing"):
        find(keeper.folder, TRAINING).load(load_state)


def test_what_is_no_checkpoint_of_this_k2l_is_none(keeper):
    assert find(keeper.folder, TRAINING) is None
    keeper.take(snapshot(1))
    file = keeper.folder / checkpoints.NAME
    for text in ("", "[]", '{"schema": 0}'):
        file.write_text(text)
        assert find(keeper.folder, TRAINING) is None


def test_a_training_that_has_ended_leaves_none(keeper):
    keeper.take(snapshot(1))
    keeper.remove()
    assert not keeper.folder.exists()
    keeper.remove()
