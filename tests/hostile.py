"""A store in which every text is markup that must stay text: HTML, an equation, the end of a script."""

from html.parser import HTMLParser

import numpy as np

from slimlab import data
from slimlab.data.building import Block, Source, build
from slimlab.skeleton import KINECT_V2, Skeleton

TAG = "<img src=q onerror=alert(0)>"  # alone where a slash cannot stand, as in a folder's name
TEXT = TAG + "$x_{</script>&amp;"

BODY = Skeleton(
    [f"{TEXT}{name}" for name in KINECT_V2.names],
    KINECT_V2.parents,
    {f"{TEXT}{name}": joints for name, joints in KINECT_V2.parts.items()},
    KINECT_V2.mirror,
    KINECT_V2.center,
)


def store(clips: int = 44) -> data.ClipStore:
    """Synthetic motion under such names: four classes by four people, on two sides."""
    own = data.synthetic(clips=clips)
    frames = [own[i].joints for i in range(clips)]
    people = max(x.shape[1] for x in frames)
    frames = [np.pad(x, ((0, 0), (0, people - x.shape[1]), (0, 0), (0, 0))) for x in frames]
    at = np.arange(clips)
    columns = {
        "clip": [f"{TEXT}{i}" for i in at],
        "label": at % 4,
        "subject": at // 4 % 4 + 1,
        "camera": at % 2,
        "split": [f"{TEXT}{i % 2}" for i in at],
    }
    block = Block(np.concatenate(frames), np.cumsum([0, *map(len, frames)]), columns | {"flags": [TEXT] * clips})
    return build(Source(TEXT, BODY, [block], label_names=tuple(f"{TEXT}{i}" for i in range(4))))


class Read(HTMLParser):
    """What a browser makes of some HTML: its tags, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        self.tags.add(tag)

    def handle_data(self, data):
        self.text += data
