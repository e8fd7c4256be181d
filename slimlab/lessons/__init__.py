"""What the course in notebooks/ stands on: a lesson's frame (`begin`) and the checks of its exercises.

A check takes the reader's function, compares it with the library or a naive loop on several inputs, and prints one sentence;
otherwise it raises `NotYet` with one sentence that says what is wrong and where to look.
"""

from slimlab.lessons.asking import NotYet, attempt, expect, expect_tensor, passed
from slimlab.lessons.frame import Lesson, begin
from slimlab.lessons.losses import check_sinkhorn
from slimlab.lessons.masks import check_tube_mask
from slimlab.lessons.studies import check_chosen, check_performer_interval, check_sign_flips

__all__ = [
    "Lesson",
    "NotYet",
    "attempt",
    "begin",
    "check_chosen",
    "check_performer_interval",
    "check_sign_flips",
    "check_sinkhorn",
    "check_tube_mask",
    "expect",
    "expect_tensor",
    "passed",
]
