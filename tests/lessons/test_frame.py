"""A lesson's frame: whose data it opens, where it writes, and what it says of both."""

from pathlib import Path

import numpy as np
import pytest

from slimlab import data, lessons


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("SLIMLAB_DATA", "SLIMLAB_OUT", "SLIMLAB_QUICK", "SLIMLAB_SEED"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "mine.npz"
    data.save_ragged(data.synthetic(clips=22)[:7], path)
    return path


def test_a_lesson_begins_with_real_people_and_says_who_they_are(capsys):
    here = lessons.begin("04_masking")
    assert not here.synthetic and not here.quick and here.out == Path("..") / "out" / "04_masking"
    here.end()
    said = capsys.readouterr().out
    assert "REAL people, UI-PRMD" in said and "600 of its 2,000 clips" in said and "SYNTHETIC" not in said and "QUICK" not in said
    assert "04_masking took " in said and " cores" in said and "torch" in said
    table = here.store.table
    assert set(table.groupby("label").size()) == {30} and set(table.groupby("subject").size()) == {60}  # balanced
    name, clip = table["label_name"][here.example], here.store[here.example].joints[:, 0]  # (T, V, 3)
    travel = np.ptp(clip, axis=0).max(axis=1)  # (V,) m
    assert name == "standing shoulder abduction" and here.store.skeleton.names[int(travel.argmax())] == "right_hand"


def test_so_many_of_them_as_are_asked_for_and_one_repetition_at_least():
    assert len(lessons.begin("x", data="ui-prmd", clips=5).store) == 200
    assert len(lessons.begin("x", clips=2000).store) == 2000


def test_synthetic_data_is_one_argument_away_and_is_called_that(monkeypatch, capsys):
    for given in ({"data": "synthetic"}, {"default": "synthetic"}):
        here = lessons.begin("13_paper", clips=22, **given)
        said = capsys.readouterr().out
        assert len(here.store) == 22 and here.synthetic and here.example == 1 and "SYNTHETIC" in said and "REAL" not in said
    monkeypatch.setenv("SLIMLAB_DATA", "synthetic")
    assert lessons.begin("x", clips=22).synthetic
    monkeypatch.setenv("SLIMLAB_DATA", "ui-prmd")
    assert not lessons.begin("x", default="synthetic").synthetic  # what is set goes before a lesson's default
    assert lessons.begin("x", data="synthetic", clips=22).synthetic


def test_a_readers_own_data_comes_from_the_cell_or_else_from_the_environment(file, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SLIMLAB_DATA", str(tmp_path / "gone"))
    here = lessons.begin("x", data=file)  # what the reader wrote goes first
    said = capsys.readouterr().out
    assert len(here.store) == 7 and not here.synthetic and "SYNTHETIC" not in said and "REAL" not in said
    with pytest.raises(data.DataError, match="no such file"):
        lessons.begin("x")
    monkeypatch.setenv("SLIMLAB_DATA", str(file))
    assert len(lessons.begin("x").store) == 7
    monkeypatch.setenv("SLIMLAB_DATA", "")  # as `make quickstart` without DATA= gives it
    assert lessons.begin("x", default="synthetic", clips=22).synthetic


def test_quick_mode_and_the_folder_come_from_the_environment(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SLIMLAB_QUICK", "1")
    monkeypatch.setenv("SLIMLAB_OUT", str(tmp_path))
    here = lessons.begin("x", data="synthetic", clips=22)
    assert here.quick and here.out == tmp_path
    here.end()
    assert "QUICK mode" in capsys.readouterr().out


def test_the_seed_comes_from_the_environment_and_nonsense_is_refused_before_work_starts(monkeypatch, capsys):
    assert lessons.begin("x", data="synthetic", clips=22).seed == 0
    for given, seed in (("7", 7), ("", 0)):
        monkeypatch.setenv("SLIMLAB_SEED", given)
        assert lessons.begin("x", data="synthetic", clips=22).seed == seed
    capsys.readouterr()
    for given in ("-1", "0.5", "seven", str(2**32)):
        monkeypatch.setenv("SLIMLAB_SEED", given)
        with pytest.raises(ValueError, match=f"SLIMLAB_SEED={given}: not an integer from 0"):
            lessons.begin("x", data="synthetic", clips=22)
    assert capsys.readouterr().out == ""
