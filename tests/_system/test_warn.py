import warnings

import pytest

import slimlab
from slimlab import skeleton
from slimlab.skeleton import KINECT_V2
from slimlab.weights import on_body

OTHER = skeleton.Skeleton([*KINECT_V2.names, "tail"], [*KINECT_V2.parents, 0])


@pytest.mark.parametrize(
    "call",
    [
        lambda: slimlab.pretrained("tiny", skeleton=OTHER),
        lambda: slimlab.load_encoder(slimlab.weights.SHIPPED / "tiny", skeleton=OTHER),
        lambda: on_body(slimlab.pretrained("tiny"), OTHER),
    ],
    ids=["pretrained", "load_encoder", "on_body"],
)
def test_a_warning_is_of_the_readers_own_line(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert [w.filename for w in caught] == [__file__] and "tail" in str(caught[0].message)
