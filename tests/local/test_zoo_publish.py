import dataclasses
import shutil

import pytest
from zoo_folders import ACCURACIES, write_checkout, write_manifest_of, write_ready

from local import export as exports
from local import models, paths, quantize
from local.zoo import cards, entries, pages, publish
from shared import data, manifest
from shared.errors import ConfigError, ModelError
from shared.results import write_history

SCORES = {"test_images": 360, "test_accuracy": {entries.FLOAT: 0.99, entries.INT8: 0.985, entries.LITERT: 0.991}}


@pytest.fixture
def checkout(home, tmp_path, monkeypatch):
    """The zoo's models/, empty and apart from the home's."""
    place = write_checkout(tmp_path / "checkout")
    monkeypatch.setattr(paths, "zoo", lambda: place)
    return place


@pytest.fixture
def ready(checkout, home, small_model):
    """A model under the home's models/ that can be published."""
    return write_ready(small_model, home / "models" / "lite")


@pytest.fixture
def scored(monkeypatch):
    """No file is run: what they read is known."""
    monkeypatch.setattr(publish, "_scores", lambda *_: SCORES)


def test_what_is_published_is_kept_and_vouched_for(ready, checkout, scored):
    before = manifest.verify(ready)
    stated = publish.publish("lite")
    assert stated == manifest.verify(checkout / "lite") and set(stated["files"]) == set(entries.entry("lite").files)
    assert {path.name for path in (checkout / "lite").iterdir()} == {*stated["files"], manifest.NAME}
    assert {key: stated[key] for key in before if key != "files"} == {
        key: before[key] for key in before if key != "files"
    }
    assert stated["published"]["test_accuracy"] == SCORES["test_accuracy"] and stated["published"]["left_out"] == {}
    assert manifest.verify(ready) == before  # the source stays as it was


def test_in_the_checkout_itself_the_whole_folder_is_kept_aside(ready, checkout, scored, monkeypatch):
    monkeypatch.setenv("K2L_HOME", str(checkout.parent))
    shutil.move(ready, checkout / "lite")
    publish.publish("lite")
    publish.publish("lite")  # a second time from what was published
    assert set(manifest.verify(checkout / "lite")["files"]) == set(entries.entry("lite").files)
    assert (checkout.parent / ".k2l" / "replaced" / "lite" / "model.pt2").exists()


def test_large_files_are_left_out_and_named(ready, checkout, scored, monkeypatch):
    monkeypatch.setattr(entries, "LARGEST", (ready / entries.FLOAT).stat().st_size - 1)
    stated = publish.publish(str(ready))
    assert stated["published"]["left_out"] == {entries.FLOAT: (ready / entries.FLOAT).stat().st_size}
    assert (
        entries.FLOAT not in manifest.verify(checkout / "lite")["files"]
        and entries.FLOAT in entries.figures(stated).bytes
    )


def test_a_model_that_is_not_ready_is_refused_with_the_command(ready, checkout, scored):
    stated = manifest.read(ready)
    manifest.write_json(ready / manifest.NAME, stated | {"seeds": stated["seeds"][:4]})
    with pytest.raises(ModelError, match=r"lacks 5 seeds.*\n.*k2l train --architecture lite .*--seeds 5 --name lite"):
        publish.publish("lite")
    manifest.write_json(ready / manifest.NAME, stated | {"interrupted": {"epoch": 1, "of": 7}})
    with pytest.raises(ModelError, match="trained to the end"):
        publish.publish("lite")
    manifest.write_json(ready / manifest.NAME, stated)
    manifest.remove_files(ready, [entries.INT8])
    with pytest.raises(ModelError, match=r"lacks model\.int8\.onnx.*k2l quantize lite --to onnx,tflite"):
        publish.publish("lite")
    manifest.write_json(ready / manifest.NAME, stated | {"name": "mine"})
    with pytest.raises(ConfigError, match=r"'mine' does not exist; .*there are: compact"):
        publish.publish("lite")
    manifest.write_json(ready / manifest.NAME, stated)
    (ready / "model.keras").write_bytes(b"changed")
    with pytest.raises(ModelError, match="was changed"):
        publish.publish("lite")
    assert not list(checkout.iterdir())


def test_a_published_network_is_found_by_name_wherever_the_home_is(ready, checkout, scored, home, monkeypatch):
    monkeypatch.setattr(entries, "DEFAULT", "lite")
    publish.publish("lite")
    assert models.find("lite").file == ready / entries.FLOAT  # one's own comes first, by name
    model, reason = models.default()  # the zoo's own, whatever was trained here
    assert model.file == checkout / "lite" / entries.FLOAT and reason.startswith("of the zoo")
    shutil.rmtree(ready)
    assert models.find("lite").file == checkout / "lite" / entries.FLOAT
    with pytest.raises(ModelError, match="There is lite"):
        models.find("light")


def test_another_accuracy_than_the_trainings_is_an_error(ready, checkout, small_model):
    for name in (entries.INT8, entries.LITERT):
        shutil.copy(ready / entries.FLOAT, ready / name)
    stated = manifest.add_files(ready, [entries.INT8])
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ModelError, match=r"its training said 99\.00%"):
        patch.setattr(publish, "MEASURED", (entries.FLOAT, entries.INT8))
        publish._scores(ready, stated, None, lambda done: None)


@pytest.mark.slow
def test_the_whole_way_from_quantized_to_timed(checkout, home, small_model, digits):
    folder = write_ready(small_model, home / "models" / "lite")
    for name in entries.entry("lite").files:
        (folder / name).unlink()
    shutil.copy(small_model / "model.pth", folder)
    write_history(folder / "history.csv", [{"epoch": 1, "seconds": 1.5}])
    (folder / "metrics.json").write_text("{}", encoding="utf-8")
    (folder / "model.pt2").unlink()
    facts = {key: manifest.read(folder)[key] for key in ("parameters", "environment", "metrics", "processor", "seeds")}
    write_manifest_of("lite", folder, **facts)
    exports.export(folder, ["onnx", "keras"])
    quantize.quantize(folder, ["onnx", "tflite"], dataset=digits, max_drop=100)
    read = publish.evaluate_all([(models.find("lite"), digits)])[0].scores.accuracy
    facts["metrics"] = {"validation": {}, "test": {"accuracy": read}}
    write_manifest_of("lite", folder, **facts)
    told = []
    publish.publish("lite", on_step=told.append)
    (stated,) = publish.measure(seconds=0)
    assert told[-1] == 1.0 and manifest.verify(checkout / "lite") == stated
    assert set(stated["bench"]["p50_us"]) == {entries.FLOAT, entries.INT8, entries.LITERT}
    assert all(time > 0 for time in stated["bench"]["p50_us"].values()) and stated["bench"]["processor"]
    assert stated["published"]["test_images"] == 360 and stated["published"]["test_accuracy"][entries.FLOAT] == read
    assert len(pages.write()) == 4 and pages.outdated() == []
    assert entries.figures(stated).seeds == len(ACCURACIES)


def test_there_must_be_something_to_time(checkout):
    with pytest.raises(ModelError, match="holds nothing that was published"):
        publish.measure()


def test_a_network_is_scored_on_other_data_sets_too_and_its_card_tells(ready, checkout, scored, monkeypatch):
    monkeypatch.setitem(entries.ZOO, "lite", dataclasses.replace(entries.entry("lite"), also=("digits",)))
    stated = manifest.read(ready) | {"threshold": 0.75, "threshold_of": {"photographs": 300, "sources": 4}}
    manifest.write_json(ready / manifest.NAME, stated)
    published = publish.publish("lite")
    also = published[entries.PUBLISHED]["also"]
    images = data.load("digits", halves=["test"])
    read = models.open_runtime(models.find(str(ready))).logits(images.test_images).argmax(1) == images.test_labels
    assert also == {"digits": {"accuracy": read.mean(), "rejected": 0.0}}
    card = " ".join(cards.card(published).split())
    assert "Of digits's test images they read" in card
    assert "from a probability of 0.75 on, chosen on 300 photographs by 4 sources" in card
