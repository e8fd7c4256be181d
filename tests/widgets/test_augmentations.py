"""AugmentationExplorer, kernel side: the clips in the picture are what the library makes, the readings are theirs."""

import numpy as np
import torch

from slimlab import augment, widgets
from slimlab.released import naive
from slimlab.skeleton import KINECT_V1
from slimlab.widgets.augmentations import CONTRASTS
from tests.widgets.test_clips import some_store


def test_the_augmented_clip_is_the_librarys(synthetic):
    explorer = widgets.AugmentationExplorer(synthetic, 3)
    body = synthetic.skeleton
    explorer.scales[1].value, explorer.angles[1].value = 1.2, 30.0
    factors = torch.tensor([[1.0, 1.2, 1.2, 1.0, 1.0]])  # both arms share one
    torch.testing.assert_close(explorer.factors, factors)
    expected = augment.mirror(augment.scale_bones(explorer.x, body, factors), body)
    expected = augment.rotate(expected, torch.tensor([[0.0, np.pi / 6, 0.0]]))
    torch.testing.assert_close(explorer.augmented, expected)
    torch.testing.assert_close(explorer.contrast, naive.scale_bones_by_index(explorer.x, body, factors))
    assert explorer.stage.shape[0] == 3


def test_readings_are_green_for_slim_and_red_for_each_contrast(synthetic):
    explorer = widgets.AugmentationExplorer(synthetic, 3)
    explorer.scales[1].value = 1.2
    for contrast in CONTRASTS[1:]:
        explorer.against.value = contrast
        holds = explorer.readings.groupby("of")["holds"].all()
        assert holds["augment"] and holds["augmented"] and not holds[contrast], contrast
        assert "✗" in explorer.table.value and "✓" in explorer.table.value
    explorer.against.value = "nothing"
    assert explorer.stage.shape[0] == 2 and "✗" not in explorer.table.value


def test_another_body_and_two_people():
    explorer = widgets.AugmentationExplorer(some_store(KINECT_V1, people=2))
    explorer.chooser.index = 2
    assert explorer.stage.shape == [3, 7, 2, 20]
