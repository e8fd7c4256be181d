"""A network that is not ours, evaluated beside ours."""

import pytest
import torch
from torch import Tensor, nn

from slimlab import data, evaluate
from slimlab.encoder import EncoderConfig, combined
from slimlab.skeleton import Skeleton


class MeanPose(nn.Module):
    """A layer on every frame's joints, averaged over time."""

    has_cls = False

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        self.config = EncoderConfig(skeleton=skeleton, width=32, depth=1, heads=2, centering="every_frame")
        self.layer = nn.Linear(3 * len(skeleton), 32)

    def features(self, x: Tensor, people=None, blocks=1, pool="mean", combine="concat", seen=None) -> Tensor:
        frames = x.permute(0, 4, 2, 3, 1).flatten(3)  # (B, M, T, V*3)
        pooled = self.layer(frames).relu().mean(dim=2)  # (B, M, 32)
        if people is not None:
            pooled = pooled * people[..., None]
        return combined(pooled, people, combine)  # (B, M*32)


@pytest.fixture(scope="module")
def sides():
    return data.split(data.synthetic(clips=88, subjects=4), "cross-subject")


def test_it_is_judged_by_the_same_calls_as_ours(sides, tmp_path):
    train, test = sides
    network = MeanPose(train.skeleton)
    read = [evaluate.features(network, side, cache=tmp_path) for side in sides]
    assert read[1].x.shape == (len(test), test.max_people * 32) and read[1].x.std() > 0
    again = evaluate.features(network, test, cache=None).x
    torch.testing.assert_close(again, read[1].x)
    table = evaluate.compare(evaluate.random_encoder(network.config), train, test, others={"mean pose": network})
    assert "mean pose" in set(table["features"])
    row = table[table["features"] == "mean pose"].iloc[0]
    assert row["kNN"] == pytest.approx(evaluate.knn(*read).accuracy)
    by_protocol = evaluate.run(network, train, test, "slim-knn")
    assert len(by_protocol) and by_protocol["accuracy"].between(0, 1).all()


def test_what_it_lacks_is_named(sides):
    with pytest.raises(TypeError, match="Linear has no config, has_cls, features; evaluation takes"):
        evaluate.features(nn.Linear(2, 2), sides[0])
