"""What the course in notebooks/ stands on: a lesson's frame (`begin`) and the checks of its exercises.

A check takes the reader's function, compares it with the library or a naive loop on several inputs, and prints one sentence;
otherwise it raises `NotYet` with one sentence that says what is wrong and where to look.
"""

from slimlab.lessons.asking import NotYet, attempt, expect, expect_tensor, passed
from slimlab.lessons.attention import check_attention, check_distance, check_rollout
from slimlab.lessons.embeddings import check_agreement, check_procrustes, check_shuffled
from slimlab.lessons.frame import Lesson, begin
from slimlab.lessons.losses import check_masked_loss, check_sinkhorn
from slimlab.lessons.masks import check_tube_mask
from slimlab.lessons.teacher import check_ema
from slimlab.lessons.training import check_diagnosis, check_rank, check_schedule, riddle

__all__ = [
    "Lesson",
    "NotYet",
    "attempt",
    "begin",
    "check_agreement",
    "check_attention",
    "check_diagnosis",
    "check_distance",
    "check_ema",
    "check_masked_loss",
    "check_procrustes",
    "check_rank",
    "check_rollout",
    "check_schedule",
    "check_shuffled",
    "check_sinkhorn",
    "check_tube_mask",
    "expect",
    "expect_tensor",
    "passed",
    "riddle",
]
