import dataclasses
import shutil

import pytest

from local.core import workspace
from local.export import export as exports
from local.export import quantize
from local.models import published, registry
from local.zoo import build, cards, pages
from shared.core import manifest
from shared.core.errors import ConfigError, ModelError
from shared.data import datasets
from shared.training.results import write_history
from tests.heard import Heard
from tests.local.zoo.zoo_folders import ACCURACIES, write_checkout, write_manifest_of, write_ready

SCORES = {"test_images": 360, "test_accuracy": {published.FLOAT: 0.99, published.INT8: 0.985, published.LITERT: 0.991}}


@pytest.fixture
def checkout(home, tmp_path, monkeypatch):
    """The zoo's models/, empty and apart from the home's."""
    place = write_checkout(tmp_path / "checkout")
    monkeypatch.setattr(workspace, "zoo", lambda: place)
    return place


@pytest.fixture
def ready(checkout, home, small_model):
    """A model under the home's models/ that can be published."""
    return write_ready(small_model, home / "models" / "lite")


@pytest.fixture
def scored(monkeypatch):
    """No file is run: what they read is known."""
    monkeypatch.setattr(build, "_scores", lambda *_: SCORES)


def test_what_is_published_is_kept_and_vouched_for(ready, checkout, scored):
    before = manifest.verify(ready)
    stated = build.publish("lite")
    assert stated == manifest.verify(checkout / "lite") and set(stated.files) == set(published.entry("lite").files)
    assert {path.name for path in (checkout / "lite").iterdir()} == {*stated.files, manifest.NAME}
    assert dataclasses.replace(stated, files=before.files, published={}) == before
    assert stated.published["test_accuracy"] == SCORES["test_accuracy"] and stated.published["left_out"] == {}
    assert manifest.verify(ready) == before  # the source stays as it was


def test_in_the_checkout_itself_the_whole_folder_is_kept_aside(ready, checkout, scored, monkeypatch):
    monkeypatch.setenv("K2L_HOME", str(checkout.parent))
    shutil.move(ready, checkout / "lite")
    build.publish("lite")
    build.publish("lite")  # a second time from what was published
    assert set(manifest.verify(checkout / "lite").files) == set(published.entry("lite").files)
    assert (checkout.parent / ".k2l" / "replaced" / "lite" / "model.pt2").exists()


def test_large_files_are_left_out_and_named(ready, checkout, scored, monkeypatch):
    monkeypatch.setattr(published, "LARGEST", (ready / published.FLOAT).stat().st_size - 1)
    stated = build.publish(str(ready))
    assert stated.published["left_out"] == {published.FLOAT: (ready / published.FLOAT).stat().st_size}
    assert (
        published.FLOAT not in manifest.verify(checkout / "lite").files
        and published.FLOAT in published.figures(stated).bytes
    )


def test_a_model_that_is_not_ready_is_refused_with_the_command(ready, checkout, scored):
    stated = manifest.read(ready)
    manifest.save(ready, dataclasses.replace(stated, seeds=stated.seeds[:4]))
    with pytest.raises(ModelError, match=r"lacks 5 seeds.*\n.*k2l train --architecture lite .*--seeds 5 --name lite"):
        build.publish("lite")
    manifest.save(ready, dataclasses.replace(stated, interrupted={"epoch": 1, "of": 7}))
    with pytest.raises(ModelError, match="trained to the end"):
        build.publish("lite")
    manifest.save(ready, stated)
    manifest.remove_files(ready, [published.INT8])
    with pytest.raises(ModelError, match=r"lacks model\.int8\.onnx.*k2l quantize lite --to onnx,tflite"):
        build.publish("lite")
    manifest.save(ready, dataclasses.replace(stated, name="mine"))
    with pytest.raises(ConfigError, match=r"'mine' does not exist; .*there are: compact"):
        build.publish("lite")
    manifest.save(ready, stated)
    (ready / "model.keras").write_bytes(b"changed")
    with pytest.raises(ModelError, match="was changed"):
        build.publish("lite")
    assert not list(checkout.iterdir())


def test_a_published_network_is_found_by_name_wherever_the_home_is(ready, checkout, scored, home, monkeypatch):
    monkeypatch.setattr(published, "DEFAULT", "lite")
    build.publish("lite")
    assert registry.find("lite").file == ready / published.FLOAT  # one's own comes first, by name
    model, reason = registry.default()  # the zoo's own, whatever was trained here
    assert model.file == checkout / "lite" / published.FLOAT and reason.startswith("of the zoo")
    shutil.rmtree(ready)
    assert registry.find("lite").file == checkout / "lite" / published.FLOAT
    with pytest.raises(ModelError, match="There is lite"):
        registry.find("light")


def test_another_accuracy_than_the_trainings_is_an_error(ready, checkout, small_model):
    for name in (published.INT8, published.LITERT):
        shutil.copy(ready / published.FLOAT, ready / name)
    stated = manifest.add_files(ready, [published.INT8])
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ModelError, match=r"its training said 99\.00%"):
        patch.setattr(build, "MEASURED", (published.FLOAT, published.INT8))
        build._scores(ready, stated, None, lambda done: None)


@pytest.mark.slow
def test_the_whole_way_from_quantized_to_timed(checkout, home, small_model, digits):
    folder = write_ready(small_model, home / "models" / "lite")
    for name in published.entry("lite").files:
        (folder / name).unlink()
    shutil.copy(small_model / "model.pth", folder)
    write_history(folder / "history.csv", [{"epoch": 1, "seconds": 1.5}])
    (folder / "metrics.json").write_text("{}", encoding="utf-8")
    (folder / "model.pt2").unlink()
    facts = {
        key: getattr(manifest.read(folder), key)
        for key in ("parameters", "environment", "metrics", "processor", "seeds")
    }
    write_manifest_of("lite", folder, **facts)
    exports.export(folder, ["onnx", "keras"])
    quantize.quantize(folder, ["onnx", "tflite"], dataset=digits, max_drop=100)
    read = build.evaluate_all([(registry.find("lite"), digits)])[0].scores.accuracy
    facts["metrics"] = {"validation": {}, "test": {"accuracy": read}}
    write_manifest_of("lite", folder, **facts)
    heard = Heard()
    build.publish("lite", report=heard)
    (stated,) = build.measure(seconds=0)
    assert heard[-1].share == 1.0 and manifest.verify(checkout / "lite") == stated
    assert set(stated.bench["p50_us"]) == {published.FLOAT, published.INT8, published.LITERT}
    assert all(time > 0 for time in stated.bench["p50_us"].values()) and stated.bench["processor"]
    assert stated.published["test_images"] == 360 and stated.published["test_accuracy"][published.FLOAT] == read
    assert len(pages.write()) == 5 and pages.outdated() == []
    assert published.figures(stated).seeds == len(ACCURACIES)


def test_there_must_be_something_to_time(checkout):
    with pytest.raises(ModelError, match="holds nothing that was published"):
        build.measure()


def test_a_network_is_scored_on_other_data_sets_too_and_its_card_tells(ready, checkout, scored, monkeypatch):
    monkeypatch.setitem(published.ZOO, "lite", dataclasses.replace(published.entry("lite"), also=("digits",)))
    chosen_on = {"photographs": 300, "sources": 4}
    stated = dataclasses.replace(manifest.read(ready), threshold=0.75, threshold_of=chosen_on)
    manifest.save(ready, stated)
    stated = build.publish("lite")
    also = stated.published["also"]
    images = datasets.load("digits", halves=["test"])
    read = registry.open_runtime(registry.find(str(ready))).logits(images.test_images).argmax(1) == images.test_labels
    assert also == {"digits": {"accuracy": read.mean(), "rejected": 0.0}}
    card = " ".join(cards.card(stated).split())
    assert "Of digits's test images they read" in card
    assert "from a probability of 0.75. This value was chosen on 300 photographs of 4 sources" in card
