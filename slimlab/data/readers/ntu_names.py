"""NTU RGB+D's class names, in the order of their numbers, and what a clip's name says."""

from __future__ import annotations

import re
from collections.abc import Sequence

NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
ACTIONS = tuple(
    (
        "drink water,eat meal,brush teeth,brush hair,drop,pick up,throw,sit down,stand up,clapping,reading,writing,"
        "tear up paper,put on jacket,take off jacket,put on a shoe,take off a shoe,put on glasses,take off glasses,"
        "put on a hat or cap,take off a hat or cap,cheer up,hand waving,kicking something,reach into pocket,hopping,jump up,"
        "phone call,play with phone or tablet,type on a keyboard,point to something,taking a selfie,check time (from watch),"
        "rub two hands,nod head or bow,shake head,wipe face,salute,put palms together,cross hands in front,sneeze or cough,"
        "staggering,falling down,headache,chest pain,back pain,neck pain,nausea or vomiting,fan self,punch or slap,kicking,"
        "pushing,pat on back,point finger,hugging,giving object,touch pocket,shaking hands,walking towards,walking apart,"
        "put on headphone,take off headphone,shoot at basket,bounce ball,tennis bat swing,juggle table tennis ball,hush,"
        "flick hair,thumb up,thumb down,make OK sign,make victory sign,staple book,counting money,cutting nails,cutting paper,"
        "snap fingers,open bottle,sniff or smell,squat down,toss a coin,fold paper,ball up paper,play magic cube,"
        "apply cream on face,apply cream on hand,put on bag,take off bag,put object into bag,take object out of bag,"
        "open a box,move heavy objects,shake fist,throw up cap or hat,capitulate,cross arms,arm circles,arm swings,"
        "run on the spot,butt kicks,cross toe touch,side kick,yawn,stretch oneself,blow nose,hit with object,wield knife,"
        "knock over,grab stuff,shoot with gun,step on foot,high-five,cheers and drink,carry object,take a photo,follow,"
        "whisper,exchange things,support somebody,rock-paper-scissors"
    ).split(",")
)


def fields_of(name: str) -> dict[str, int] | None:
    """setup, camera, subject, label (from 0) of an NTU clip's name; None where it has another form."""
    match = NAME.search(name)
    if match is None:
        return None
    setup, camera, subject, _, action = (int(v) for v in match.groups())
    return {"setup": setup, "camera": camera, "subject": subject, "label": action - 1}


def about(names: Sequence[str], labels: Sequence[int]) -> tuple[dict[str, list[int]], tuple[str, ...]]:
    """(subject, camera, setup of each clip, -1 where its name is not NTU's; NTU's class names, where names and labels agree)."""
    fields = [fields_of(n) for n in names]
    known = {key: [f[key] if f else -1 for f in fields] for key in ("subject", "camera", "setup")}
    ntu = bool(names) and all(f is not None and f["label"] == label for f, label in zip(fields, labels, strict=True))
    highest = max(labels, default=-1)
    return known, (ACTIONS if highest >= 60 else ACTIONS[:60]) if ntu and highest < len(ACTIONS) else ()
