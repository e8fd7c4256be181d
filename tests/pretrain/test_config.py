import json
import math
import re
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from slimlab.pretrain.config import PREPRINT_VIEWS, PRESETS, RULES, Config
from slimlab.skeleton import KINECT_V2


def test_presets_fill_what_is_left_open():
    assert Config(preset="paper").prototypes == 65_536 and Config(preset="paper", prototypes=8).prototypes == 8
    for name, preset in PRESETS.items():
        assert Config(preset=name) == preset and preset.preset == name
    assert Config() == PRESETS["tiny"] and {f.name: f.default for f in fields(Config)} == Config().to_dict()


def test_what_equals_a_default_is_still_given():
    """A value that happens to be `tiny`'s is not taken for one that was left open."""
    for preset in PRESETS.values():
        for name, value in Config().to_dict().items():
            if name != "preset":
                given = {"preset": preset.preset, "local_views": (), name: value}  # without views that do not divide
                assert getattr(Config(**given), name) == value


def test_replace_changes_what_it_names_alone():
    assert replace(Config(preset="paper"), seed=3) == Config(preset="paper", seed=3)
    assert replace(Config(), preset="paper").prototypes == Config().prototypes


def test_every_field_has_a_check():
    assert set(RULES) == {field.name for field in fields(Config)}


def test_a_settings_file_without_a_later_field_still_opens():
    old = {k: v for k, v in Config(preset="paper").to_dict().items() if k not in ("stream", "compile", "microbatch")}
    assert Config(**json.loads(json.dumps(old))) == Config(preset="paper")


def test_it_survives_json():
    config = Config(preset="paper", steps=3, mask_ratio=0.7, local_views=PREPRINT_VIEWS, released_quirks=True)
    assert Config(**json.loads(json.dumps(config.to_dict()))) == config


def test_the_papers_encoder():
    encoder = Config(preset="paper").encoder(KINECT_V2)
    assert (encoder.width, encoder.depth, encoder.heads, encoder.patch_frames, encoder.registers) == (256, 8, 8, 8, 4)
    assert encoder.centering == "first_frame" and encoder.init_std == 0.02


# For each field, values that no run can be made with, and what the error says of them
REFUSED = {
    "preset": {"huge": "is unknown; choose one of paper, small, tiny", 3: "is unknown"},
    "seed": {-1: "whole number in 0", 0.5: "whole number", "0": "whole number"},
    "steps": {0: "of at least 1", 2.5: "whole number", True: "whole number"},
    "minutes": {0: "above 0", -1.0: "above 0", math.inf: "finite", math.nan: "finite"},
    "batch_size": {1: "of at least 2", 32.5: "whole number", 32.0: "whole number"},
    "released_quirks": {"bone-scaling": "unknown", ("bone_scaling", "x"): "holds x", 1: "holds 1"},
    "details": {"theirs": "choose one of plain, released"},
    "width": {63: "even multiple of heads 2", 0: "of at least 1", 62.0: "whole number"},
    "depth": {0: "of at least 1"},
    "heads": {0: "of at least 1", 3: "even multiple of heads 3"},
    "patch_frames": {0: "of at least 1", 7: "do not divide"},
    "registers": {-1: "of at least 0"},
    "init": {"zeros": "choose one of normal, fan_in"},
    "centering": {"x": "choose one of none, first_frame, every_frame"},
    "input_scale": {0.0: "above 0"},
    "stream": {"speed": "choose one of joint, bone, motion"},
    "global_frames": {30: "do not divide", 0: "of at least 1"},
    "global_range": {(0.8, 1.2): "in 0..1", (1.0, 0.8): "ascending", 0.8: "a pair"},
    "local_views": {
        ((16, 1, (0.2, 0.4), 3),): "1 or 2 global views",
        ((16, 0, (0.2, 0.4)),): "should be",
        ((12, 1, (0.2, 0.4)),): "do not divide",
        (16,): "should be",
    },
    "augment_probability": {1.5: "in 0..1"},
    "mirror": {"no": "must be True, False or 'joints'", 2: "must be True, False or 'joints'"},
    "scaling": {"limbs": "choose one of bones, axes"},
    "bone_scale": {(1.15, 0.85): "ascending", (0.0, 1.0): "above 0"},
    "rotation": {-0.3: "at least 0 rad", (0.3, 0.3): "one for each axis", "y": "rad"},
    "noise": {-1: "at least 0"},
    "masking": {"nonsense": "choose one of semantic_tubes"},
    "mask_ratio": {1.5: "must lie in 0..1", (0.5, 1.2): "holds 1.2, which must lie in 0..1", (0.9, 0.5): "ascending"},
    "mask_globals": {1.01: "in 0..1", 0.007: "of 64 global views rounds to none; take at least 0.0156, or 0"},
    "mask_locals": {2: "True or False"},
    "masking_locals": {"nonsense": "choose one of semantic_tubes"},
    "mask_ratio_locals": {1.5: "must lie in 0..1", (0.9, 0.5): "ascending"},
    "targets": {"argmax": "choose one of sinkhorn, centering, softmax"},
    "prototypes": {1: "at least 2", 0: "at least 2"},
    "head_hidden": {0: "at least 1"},
    "head_bottleneck": {0: "at least 1"},
    "student_temperature": {0.0: "above 0"},
    "teacher_temperature": {(0.0, 0.1): "above 0", 0.04: "a pair"},
    "temperature_warmup": {2.0: "in 0..1"},
    "glcl_weight": {-1.0: "at least 0"},
    "mfp_weight": {-1.0: "at least 0"},
    "koleo_weight": {-1.0: "at least 0"},
    "base_lr": {-1.0: "at least 0", math.inf: "finite"},
    "min_lr": {-1.0: "at least 0"},
    "patch_lr_factor": {-0.1: "at least 0"},
    "warmup": {2.0: "in 0..1"},
    "weight_decay": {(-0.1, 0.1): "at least 0"},
    "gradient_clip": {-1: "above 0", 0: "above 0"},
    "momentum": {(5, 5): "in 0..1", 0.9: "a pair"},
    "frozen_prototypes": {-0.5: "in 0..1"},
    "evaluations": {-1: "at least 0"},
    "snapshots": {0: "at least 1"},
    "checkpoint_seconds": {-1.0: "at least 0"},
    "precision": {"fp8": "choose one of fp32, bf16"},
    "microbatch": {0: "at least 1", 64: "at most batch_size 32"},
    "compile": {"yes": "True or False"},
}


@pytest.mark.parametrize("name", [field.name for field in fields(Config)])
def test_every_field_refuses_what_is_impossible(name):
    assert REFUSED[name]
    for value, says in REFUSED[name].items():
        with pytest.raises(ValueError, match=re.escape(says)) as refusal:
            Config(**{name: value})
        assert name in str(refusal.value) or "do not divide" in says  # which names frames and patches


def test_numbers_of_numpy_are_taken_as_pythons():
    numbers: dict[str, Any] = {"steps": np.int64(3), "noise": np.float32(0.5), "mask_ratio": np.array([0.5, 0.75])}
    config = Config(**numbers)
    assert config == Config(steps=3, noise=0.5, mask_ratio=(0.5, 0.75))
    assert Config(**json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("setting", [{"masking_locals": "random_cells"}, {"mask_ratio_locals": 0.3}], ids=str)
def test_masks_of_local_views_that_are_not_masked_are_refused(setting):
    with pytest.raises(ValueError, match=r"has no effect where mask_locals is False; set mask_locals=True"):
        Config(**setting)
    assert Config(**setting, mask_locals=True).mask_locals
