"""What the course in notebooks/ stands on: a lesson's frame (`begin`) and the checks of its exercises.

A check takes the reader's function, compares it with the library or a naive loop on several inputs, and prints one sentence;
otherwise it raises `NotYet` with one sentence that says what is wrong and where to look.
"""

from slimlab.lessons.asking import NotYet, attempt, expect, expect_tensor, passed
from slimlab.lessons.bodies import check_bone_lengths, check_fill, check_pairs, check_positions, check_sides
from slimlab.lessons.files import alike, check_trim, with_clips, with_copies, write_samples
from slimlab.lessons.frame import Lesson, begin
from slimlab.lessons.losses import check_sinkhorn
from slimlab.lessons.masks import check_tube_mask

__all__ = [
    "Lesson",
    "NotYet",
    "alike",
    "attempt",
    "begin",
    "check_bone_lengths",
    "check_fill",
    "check_pairs",
    "check_positions",
    "check_sides",
    "check_sinkhorn",
    "check_trim",
    "check_tube_mask",
    "expect",
    "expect_tensor",
    "passed",
    "with_clips",
    "with_copies",
    "write_samples",
]
