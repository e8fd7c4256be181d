import json

import pytest

from slimlab.config import PREPRINT_VIEWS, PRESETS, Config
from slimlab.skeleton import KINECT_V2


def test_presets_fill_what_is_left_open():
    assert Config(preset="paper").prototypes == 65_536 and Config(preset="paper", prototypes=8).prototypes == 8
    for name, values in PRESETS.items():
        config = Config(preset=name)
        assert all(getattr(config, k) is not None for k in values)


def test_it_survives_json():
    config = Config(preset="paper", steps=3, mask_ratio=0.7, local_views=PREPRINT_VIEWS, released_quirks=True)
    assert Config(**json.loads(json.dumps(config.to_dict()))) == config


def test_the_papers_encoder():
    encoder = Config(preset="paper").encoder(KINECT_V2)
    assert (encoder.width, encoder.depth, encoder.heads, encoder.patch_frames, encoder.registers) == (256, 8, 8, 8, 4)
    assert encoder.centring == "first_frame" and encoder.init_std == 0.02


@pytest.mark.parametrize(
    "given, says",
    [
        ({"preset": "huge"}, "choose one of paper, tiny"),
        ({"steps": 0}, "must be positive"),
        ({"minutes": -1.0}, "must be positive"),
        ({"batch_size": 1}, "at least 2"),
        ({"global_frames": 30}, "do not divide"),
        ({"mask_ratio": (0.5, 1.2)}, "0..1"),
        ({"init": "zeros"}, "choose normal"),
        ({"local_views": ((16, 1, (0.2, 0.4), 3),)}, "1 or 2 global views"),
        ({"targets": "argmax"}, "choose sinkhorn, centring or softmax"),
    ],
)
def test_impossible_settings_are_refused(given, says):
    with pytest.raises(ValueError, match=says):
        Config(**given)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="precision 'fp8' is unknown; choose fp32 or bf16"):
        Config(precision="fp8")
