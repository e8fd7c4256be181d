"""The rule that stops collapsed runs: on the shipped runs of lesson 06, and on series made for its edges."""

import numpy as np
import pytest

from slimlab import baseline
from slimlab.config import Config
from slimlab.lessons.training import riddle
from slimlab.monitor import CollapseRule


def first_collapse(rule, used=(), rank=()):
    """What the rule says of a series of prototypes in use, or of ranks, one a step; NaN: not measured."""
    lines = [{"used_prototypes": u} for u in used] or [{"used_prototypes": 50.0, "rank": r} for r in rank]
    for step, line in enumerate(lines):
        if collapse := rule.see(line | {"step": step}):
            return collapse
    return None


@pytest.mark.parametrize("seed, stops", [(0, 35), (1, 40)])
def test_the_shipped_collapsed_runs_are_stopped_and_no_other(seed, stops):
    found = {}
    for letter, table in riddle(seed).items():
        rule = CollapseRule(Config(steps=80))
        seen = [rule.see(line) for line in table.to_dict("records")]
        if said := [one for one in seen if one is not None]:
            found[letter] = said[0]
    (collapse,) = found.values()
    assert (collapse.kind, collapse.step, collapse.steps) == ("answers", stops, 30) and collapse.value < 2
    assert "prototypes in use" in str(collapse) and "targets='sinkhorn'" in str(collapse)


def test_answers_that_recover_are_no_collapse():
    for used in ([1.0] * 29 + [4.0] + [1.0] * 29, [2.0] * 200):
        assert first_collapse(CollapseRule(Config(steps=80)), used) is None
    collapse = first_collapse(CollapseRule(Config(steps=80)), [4.0, *[1.5] * 40])
    assert collapse is not None and collapse.step == 30


def test_a_long_run_has_a_twentieth_of_its_steps_to_recover():
    collapse = first_collapse(CollapseRule(Config(steps=2000)), [1.0] * 500)
    assert collapse is not None and collapse.step == 99


def test_few_prototypes_say_nothing_where_a_batch_cannot_use_many():
    assert first_collapse(CollapseRule(Config(steps=80, batch_size=3)), [1.0] * 80) is None
    assert first_collapse(CollapseRule(Config(steps=80, prototypes=4)), [1.0] * 80) is None
    assert first_collapse(CollapseRule(Config(steps=80, batch_size=4, prototypes=8)), [1.0] * 80) is not None


@pytest.mark.parametrize("config", [Config(), baseline.Config()], ids=["slim", "mae"])
def test_features_have_collapsed_at_the_second_low_rank_in_a_row(config):
    collapse = first_collapse(CollapseRule(config), rank=[1.2, np.nan, 9.0, 1.4, np.nan, np.nan, 1.3, 1.0])
    assert collapse is not None and (collapse.kind, collapse.step, collapse.value) == ("features", 6, 1.3)
    assert "feature rank 1.30 twice in a row" in str(collapse)
    assert first_collapse(CollapseRule(config), rank=[1.2, 1.6] * 20) is None


def test_the_rule_suspects_as_soon_as_one_value_is_low():
    rule = CollapseRule(Config())
    rule.see({"step": 0, "used_prototypes": 1.0})
    assert rule.suspects
    rule.see({"step": 1, "used_prototypes": 3.0, "rank": 1.2})
    assert rule.suspects
    rule.see({"step": 2, "used_prototypes": 3.0, "rank": 5.0})
    assert not rule.suspects
