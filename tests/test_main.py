"""The command line as a user types it."""

import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
import pytest

from slimlab import __main__ as cli
from slimlab import data, pretrain
from slimlab._system.warn import warn
from slimlab.plot.gallery import data_of
from slimlab.pretrain.run import Run
from tests.systems import kills

SMALL = ["--steps", "3", "--batch-size", "8", "--device", "cpu"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    data.save_ragged(data.synthetic(clips=132), folder / "clips.npz")
    assert cli.main(["pretrain", str(folder / "clips.npz"), "--folder", str(folder / "run"), *SMALL]) == 0
    return folder


def test_pretrain_sees_the_training_side_alone(files, capsys):
    run = Run(files / "run")
    train, _ = data.split(data.open(files / "clips.npz"))
    assert run.seen["clip"].tolist() == train.column("clip").tolist() and len(run.metrics) == 3
    assert run.config.preset == "tiny" and run.config.batch_size == 8


def test_every_field_of_the_settings_can_be_set(files, capsys):
    command = ["pretrain", str(files / "clips.npz"), "--folder", str(files / "set"), *SMALL]
    given = {
        "mask_ratio": 0.8,
        "local_views": ((16, 2, (0.3, 0.6)),),
        "masking": "random_cells",
        "mirror": True,
        "glcl_weight": 0.5,
    }
    assert cli.main([*command, *(word for name, value in given.items() for word in ("--set", f"{name}={value}"))]) == 0
    found = Run(files / "set").config
    assert {name: getattr(found, name) for name in given} == given and found.steps == 3
    old = ["--set", "mfm_weight=0.5", "--set", "targets=centring", "--fresh"]  # as earlier versions called them
    assert cli.main([*command, *old]) == 0
    found = Run(files / "set").config
    assert found.mfp_weight == 0.5 and found.targets == "centering"
    for bad, says in (
        ("depth", "should be FIELD=VALUE with one of the fields preset, seed, steps"),
        ("layers=3", "should be FIELD=VALUE"),
        ("steps=5", "--steps says 3"),
        ("mask_ratio=2", "mask_ratio"),
    ):
        assert cli.main([*command, "--set", bad]) == 1
        assert says in capsys.readouterr().err


def test_the_recordings_in_the_package_have_a_name(files, capsys):
    assert cli.main(["pretrain", "ui-prmd", "--folder", str(files / "people"), *SMALL]) == 0
    run = Run(files / "people")
    assert len(run.seen) == 1000 and run.about["data"] == data.ui_prmd().source
    assert data_of(run).fingerprint == data.ui_prmd().fingerprint


def test_robustness_is_one_command(files, capsys):
    command = ["robustness", str(files / "run"), str(files / "clips.npz"), "--corruptions", "missing joints", "noise"]
    assert cli.main([*command, "--pool", "time"]) == 0
    out, folder = capsys.readouterr().out, files / "run" / "robustness"
    table = pd.read_csv(folder / "robustness.csv")
    assert set(table["corruption"]) == {"missing joints", "noise"} and (table["pool"] == "time").all()
    for name in ("robustness_kNN.pdf", "robustness_kNN.png", "robustness_probe.pdf", "robustness_probe.csv"):
        assert (folder / name).stat().st_size > 500, name
    last = table[(table["features"] == "pre-trained encoder") & (table["classifier"] == "kNN")].iloc[-1]
    assert f"{last['accuracy']:.3f}" in out
    assert cli.main([*command[:-3], "--corruptions", "rain"]) == 1
    assert "corruption 'rain' is not there; choose among" in capsys.readouterr().err


def test_the_same_command_goes_on_and_fresh_starts_anew(files, capsys):
    command = ["pretrain", str(files / "clips.npz"), "--folder", str(files / "again"), *SMALL]
    assert cli.main(command) == cli.main(command) == cli.main([*command, "--fresh"]) == 0
    assert cli.main([*command, "--seed", "4"]) == 1
    assert "choose another folder" in capsys.readouterr().err


def test_a_run_may_begin_with_the_shipped_weights_or_a_runs(files, capsys):
    command = ["pretrain", str(files / "clips.npz"), *SMALL, "--folder"]
    assert cli.main([*command, str(files / "on-tiny"), "--start", "tiny"]) == 0
    assert Run(files / "on-tiny").about["began_with"] and not Run(files / "run").about["began_with"]
    assert cli.main([*command, str(files / "on-run"), "--start", str(files / "run")]) == 0
    assert cli.main([*command, str(files / "on-nothing"), "--start", "nothing"]) == 1
    assert "nothing: no such file" in capsys.readouterr().err


def test_evaluate_prints_and_writes_the_table(files, capsys):
    assert cli.main(["evaluate", str(files / "run"), str(files / "clips.npz")]) == 0
    out = capsys.readouterr().out
    table = pd.read_csv(files / "run" / "evaluation.csv")
    assert list(table.columns[:3]) == ["features", "kNN", "probe"] and len(table) == 4
    assert (table["split"] == "cross-subject").all() and (table["run"] == str(files / "run")).all()
    assert {"kNN_low", "probe_high", "train", "test", "weights", "seed", "slimlab", "k", "pool"} <= set(table.columns)
    for line in table.itertuples():
        assert f"{line.kNN:.3f}" in out and str(line.features) in out


def test_a_control_with_labels_gets_as_long_as_the_run_took(files, capsys):
    assert cli.main(["evaluate", str(files / "run"), str(files / "clips.npz"), "--equal-time"]) == 0
    table = pd.read_csv(files / "run" / "evaluation.csv")
    seconds = Run(files / "run").about["seconds"]
    assert f"supervised from scratch, {seconds:.0f} s as the run" in set(table["features"]) and len(table) == 5


def test_evaluate_refuses_clips_that_were_seen(files, capsys):
    assert cli.main(["evaluate", str(files / "run"), str(files / "clips.npz"), "--split", "cross-view"]) == 1
    assert "was trained on" in capsys.readouterr().err
    assert cli.main(["evaluate", str(files / "run"), str(files / "clips.npz"), "--train-subjects", "2", "4"]) == 1


def test_embed_writes_csv_and_npz(files, tmp_path):
    one = data.open(files / "clips.npz")[5:6]
    data.save_ragged(one, tmp_path / "one.npz")
    for name in ("f.csv", "f.npz"):
        assert cli.main(["embed", str(files / "run"), str(tmp_path / "one.npz"), "--out", str(tmp_path / name)]) == 0
    table, arrays = pd.read_csv(tmp_path / "f.csv"), np.load(tmp_path / "f.npz", allow_pickle=False)
    assert table["clip"].tolist() == arrays["clips"].tolist() == one.column("clip").tolist()
    np.testing.assert_allclose(table.filter(regex=r"f\d+").to_numpy(), arrays["features"], rtol=1e-5)
    assert cli.main(["embed", str(files / "run"), str(tmp_path / "one.npz"), "--out", str(tmp_path / "f.xlsx")]) == 1
    assert cli.main(["embed", str(files / "run"), str(tmp_path / "one.npz"), "--out", str(tmp_path / "new" / "f.csv")]) == 0
    assert cli.main(["embed", str(files / "run"), str(tmp_path / "none.npz"), "--out", str(tmp_path / "no" / "f.csv")]) == 1
    assert (tmp_path / "new" / "f.csv").exists() and not (tmp_path / "no").exists()


def test_predict_looks_for_the_new_clips_before_it_fits(files, tmp_path, monkeypatch, capsys):
    def fit(*args, **kwargs):
        raise AssertionError("fitted in vain")

    monkeypatch.setattr("slimlab.evaluate.fit_predictor", fit)
    command = ["predict", str(files / "run"), str(tmp_path / "none.csv"), "--labels", str(files / "clips.npz")]
    assert cli.main([*command, "--save", str(tmp_path / "kept")]) == 1
    assert "none.csv: no such file" in capsys.readouterr().err and not (tmp_path / "kept").exists()


@pytest.mark.integration  # for its length: a figure of every kind, each in three formats
def test_figures_come_as_pdf_png_and_csv(files, capsys):
    assert cli.main(["figures", str(files / "run"), str(files / "clips.npz")]) == 0
    drawn = {f.stem for f in (files / "run" / "figures").iterdir()}
    assert {"losses", "mask", "attention_cls", "token_pca", "embedding_class", "confusion", "neighbours"} <= drawn
    assert {"training", "clip", "mask_strategies", "augmentations", "agreement", "embedding_subject"} <= drawn
    assert {f"prototypes_{kind}{what}" for kind in ("clips", "cells") for what in ("", "_assigned", "_nearest")} <= drawn
    for name in drawn:
        assert all((files / "run" / "figures" / f"{name}{suffix}").stat().st_size > 50 for suffix in (".pdf", ".png", ".csv"))
    assert "confusion" in capsys.readouterr().out


def test_convert(files, tmp_path, capsys):
    assert cli.main(["convert", str(files / "clips.npz"), str(tmp_path / "store")]) == 0
    assert data.open(tmp_path / "store").fingerprint == data.open(files / "clips.npz").fingerprint
    assert cli.main(["convert", str(files / "clips.npz"), str(tmp_path / "store")]) == 1
    assert "exists already" in capsys.readouterr().err


def test_convert_takes_what_the_source_does_not_say(tmp_path, capsys):
    x = np.random.default_rng(0).normal(size=(5, 17, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    for number, (up, turned) in enumerate({"-y": x * [1, -1, -1], "z": x[..., [0, 2, 1]] * [1, 1, -1]}.items()):
        out = str(tmp_path / f"store{number}")
        assert cli.main(["convert", str(tmp_path / "x.npy"), out, "--unit", "0.5", "--up", up]) == 0
        np.testing.assert_allclose(data.open(out)[0].joints[:, 0], turned / 2, rtol=1e-6)
    assert cli.main(["convert", str(tmp_path / "x.npy"), str(tmp_path / "cm"), "--unit", "cm", "--up=-y"]) == 0
    np.testing.assert_allclose(data.open(tmp_path / "cm")[0].joints[:, 0], x * [0.01, -0.01, -0.01], rtol=1e-6)
    for words, says in (
        (["--unit", "mile"], "give one of m, cm"),
        (["--up", "w"], "give one of x"),
        (["--min-score", "0.5"], "no scores"),
    ):
        assert cli.main(["convert", str(tmp_path / "x.npy"), str(tmp_path / "bad"), *words]) == 1
        assert says in capsys.readouterr().err and not (tmp_path / "bad").exists()


def test_convert_leaves_bad_clips_out_when_asked(tmp_path, capsys):
    for name, text in (("a", "0,1,2,1"), ("b", "0,1"), ("c", "0,5,6,0.5")):
        (tmp_path / f"{name}.csv").write_text(f"scorer,n,n,n\nbodyparts,p,p,p\ncoords,x,y,likelihood\n{text}\n")
    assert cli.main(["convert", str(tmp_path), str(tmp_path / "store")]) == 1
    assert "b.csv: line 4" in capsys.readouterr().err
    assert cli.main(["convert", str(tmp_path), str(tmp_path / "store"), "--on-error", "skip", "--min-score", "0.6"]) == 0
    store = data.open(tmp_path / "store")
    assert store.column("clip").tolist() == ["a", "c"] and "1 skipped" in capsys.readouterr().out
    assert store[0].joints.any() and not store[1].joints.any()  # 0.5 is under 0.6
    assert "b.csv: line 4" in (tmp_path / "store" / "skipped.csv").read_text()


@pytest.mark.parametrize(
    "command, says",
    [
        (["pretrain", "absent.npz"], "no such file"),
        (["evaluate", "absent", "synthetic"], "no run there"),
        (["pretrain", "synthetic", "--preset", "huge"], "choose one of"),
        (["pretrain", "synthetic", "--split", "file"], "no train and test side"),
        (["embed", __file__, "synthetic"], "test_main.py: holds no weights; give small, tiny"),
        (["export-model", "absent", "x.onnx"], "absent: no such file or folder, seen from"),
        (["predict", "small"], "slimlab predict small --labels DATA --save FOLDER"),
        (["stream", "small"], "slimlab predict small --labels DATA --save FOLDER"),
    ],
)
def test_complaints_are_one_line_without_a_traceback(command, says, synthetic, monkeypatch, capsys):
    monkeypatch.setattr(data, "synthetic", lambda: synthetic)  # fewer clips
    assert cli.main(command) == 1
    err = capsys.readouterr().err
    assert says in err and err.startswith(f"slimlab {command[0]}: ") and "Traceback" not in err


def test_a_warning_is_one_sentence_said_once_and_those_of_others_stay(monkeypatch, capsys):
    def command(_):
        for _ in range(3):
            warn("bodies are upside down")
        warnings.warn("of somebody else", FutureWarning, stacklevel=1)

    monkeypatch.setitem(cli.COMMANDS, "doctor", command)
    with pytest.warns(FutureWarning, match="of somebody else"):
        assert cli.main(["doctor"]) == 0
    assert capsys.readouterr().err == "slimlab doctor: bodies are upside down\n"


def test_ctrl_c_says_how_to_go_on(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    said = {
        "pretrain synthetic": "stopped; the same command goes on from the run's last checkpoint",
        "pretrain synthetic --fresh": "stopped; the same command without --fresh goes on from the run's last checkpoint",
        "convert clips.npz store": "stopped; the same command goes on where the conversion was stopped",
        "evaluate run synthetic": "stopped; the same command begins anew",
        "cost": "stopped",
        "doctor": "stopped",
    }
    for command, sentence in said.items():
        name, *_ = words = command.split()
        monkeypatch.setitem(cli.COMMANDS, name, interrupted)
        assert cli.main(words) == 130
        assert capsys.readouterr().err == f"\n{sentence}\n"


@kills
@pytest.mark.integration
def test_a_real_ctrl_c_ends_with_130_and_the_same_command_resumes(tmp_path):
    command = [sys.executable, "-m", "slimlab", "pretrain", "synthetic", "--batch-size", "8", "--device", "cpu"]
    command += ["--folder", str(tmp_path / "run"), "--steps", "1000"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    log = tmp_path / "run" / "metrics.jsonl"
    while child.poll() is None and not (log.exists() and log.read_text().count("\n") >= 2):
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate()
    assert child.returncode == 130 and "goes on from the run's last checkpoint" in err and "Traceback" not in err
    done = len(Run(tmp_path / "run").metrics)
    assert 2 <= done < 1000
    train, _ = data.split(data.synthetic())
    config = Run(tmp_path / "run").config
    first = next(iter(pretrain.steps(train, config, folder=tmp_path / "run", device="cpu")))
    assert first.step == done


def test_the_doctor_fails_in_one_sentence_too(monkeypatch, capsys):
    from slimlab._system import doctor

    monkeypatch.setattr(doctor, "report", lambda: (_ for _ in ()).throw(OSError("no /proc/meminfo")))
    assert cli.main(["doctor"]) == 1
    assert capsys.readouterr().err == "slimlab doctor: no /proc/meminfo\n"


def test_a_missing_package_is_named_with_the_way_to_install_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jupyter", None)

    def missing(_):
        import jupyter  # noqa: F401  # pyright: ignore

    monkeypatch.setitem(cli.COMMANDS, "lab", missing)
    assert cli.main(["lab"]) == 1
    assert "jupyter" in (said := capsys.readouterr().err) and "slimlab doctor says what is missing" in said


def test_it_is_a_module():
    done = subprocess.run([sys.executable, "-m", "slimlab", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    for command in ("doctor", "lab", "convert", "pretrain", "evaluate", "embed", "figures"):
        assert command in done.stdout


def test_cost_prints_both_tables(capsys):
    assert cli.main(["cost", "--seconds", "0"]) == 0
    out = capsys.readouterr().out
    assert "28.32" in out and "4.78" in out and "7.97" in out
    assert cli.main(["cost", "--seconds", "0", "--people", "0.5"]) == 1


def test_report_prints_the_facts_and_writes_the_table(files, tmp_path, capsys):
    assert cli.main(["report", str(files / "clips.npz"), "--out", str(tmp_path / "report.csv")]) == 0
    out = capsys.readouterr().out
    assert "132" in out and "subjects" in out and "jitter" in out
    table = pd.read_csv(tmp_path / "report.csv", keep_default_na=False)
    assert table["clip"].tolist() == data.synthetic(clips=132).column("clip").tolist() and "reasons" in table


@pytest.mark.parametrize("error", [RuntimeError("no convergence"), MemoryError(), OSError("disk full"), ValueError("bad k")])
def test_an_expected_failure_is_one_sentence_and_a_traceback_with_debug(error, monkeypatch, capsys):
    from slimlab import __main__ as command_line

    def fail(_arguments):
        raise error

    monkeypatch.setitem(command_line.COMMANDS, "cost", fail)
    assert command_line.main(["cost"]) == 1
    said = capsys.readouterr().err
    assert said == f"slimlab cost: {str(error) or 'out of memory'}\n"
    with pytest.raises(type(error)):
        command_line.main(["--debug", "cost"])
