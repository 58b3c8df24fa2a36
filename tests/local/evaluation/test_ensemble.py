import dataclasses
import json

import numpy as np
import pytest

from local.evaluation import ensemble, evaluate, report
from shared.core.errors import ConfigError
from shared.training.metrics import score
from tests.local.model_formats import write_classifier

SEEDS = (0, 1, 2)


@pytest.fixture
def members(home, digits):
    """Three networks with random weights, evaluated."""
    files = [write_classifier(home / f"member{seed}.onnx", seed=seed) for seed in SEEDS]
    return evaluate.evaluate_all([(file, digits) for file in files])


def test_it_answers_by_the_mean_of_the_logits_and_costs_what_its_members_cost(members, digits):
    together = ensemble.assemble(members)
    mean = sum(member.logits.astype(np.float64) for member in members) / 3
    assert np.allclose(together.logits, mean, atol=1e-6) and together.logits.dtype == np.float32
    row = together.row()
    assert row["accuracy"] == score(mean, digits.test_labels).accuracy
    assert row["bytes"] == sum(member.bytes for member in members)
    assert row["seconds"] == pytest.approx(sum(member.seconds for member in members))
    assert list(row)[: len(members[0].row())] == list(members[0].row())
    assert row["model"] == "committee: member0 + member1 + member2" and row["runtime"] == "onnxruntime"
    assert row["members"] == [member.file for member in members]


def test_it_is_held_against_its_best_member(members, digits):
    together = ensemble.assemble(members)
    best = max(members, key=lambda member: member.scores.accuracy)
    (other, seen), *none_else = together.row()["agreement"].items()
    assert (other, none_else) == (best.file, [])
    gained = (seen["only_this"] - seen["only_other"]) / len(digits.test_labels)
    assert together.scores.accuracy - best.scores.accuracy == pytest.approx(gained)


def test_one_network_in_two_files_answers_as_it_does_alone(home, digits):
    for place in ("a", "b"):
        (home / place).mkdir()
    twins = [(write_classifier(home / place / "model.onnx"), digits) for place in ("a", "b")]
    together = ensemble.assemble(evaluate.evaluate_all(twins))
    assert together.against_best().equal == 1 and together.scores == together.best.scores
    assert together.name == "committee: model/model.onnx + model/model.onnx"


def test_fewer_than_two_members_and_two_data_sets_are_refused(members, digits):
    with pytest.raises(ConfigError, match="two members or more"):
        ensemble.assemble(members[:1])
    elsewhere = dataclasses.replace(members[1], data=dataclasses.replace(digits, name="mnist"))
    with pytest.raises(ConfigError, match="answer digits, mnist: say which with --dataset"):
        ensemble.assemble([members[0], elsewhere])


def test_its_pictures_lie_beside_those_of_its_members(members, tmp_path):
    folders = report.keep([*members, ensemble.assemble(members)], tmp_path / "out")
    assert folders[-1] == tmp_path / "out" / "committee"
    assert json.loads((folders[-1] / "metrics.json").read_text())["members"] == [member.file for member in members]


def test_the_verb_reports_it_apart_from_its_members(members, home, k2l):
    arguments = ("evaluate", *(home / f"member{seed}.onnx" for seed in SEEDS), "--dataset", "digits", "--committee")
    *single, together = map(json.loads, k2l(*arguments, "--json").stdout.splitlines())
    assert [row["accuracy"] for row in single] == [member.scores.accuracy for member in members]
    assert all(set(row["agreement"]) <= set(together["members"]) and "members" not in row for row in single)
    assert together["members"] == [row["file"] for row in single]
    told = k2l(*arguments).stdout
    assert "committee: member0 + member1 + member2" in told and "the best of them" in told


def test_the_verb_refuses_in_a_line_what_makes_no_committee(home, error_of):
    write_classifier(home / "ten.onnx")
    write_classifier(home / "eleven.onnx", classes=11)
    for files, said in ((["ten.onnx"], "two members or more"), (["ten.onnx", "eleven.onnx"], "11 classes apart")):
        assert said in error_of("evaluate", *(home / file for file in files), "--dataset", "digits", "--committee")
