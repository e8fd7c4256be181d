"""What the course in notebooks/ stands on: a lesson's frame (`begin`) and the checks of its exercises.

A check takes the reader's function, compares it with the library or a naive loop on several inputs, and prints one sentence;
otherwise it raises `NotYet` with one sentence that says what is wrong and where to look.
"""

from slimlab.lessons.asking import NotYet, attempt, expect, expect_tensor, passed
from slimlab.lessons.attention import check_attention, check_distance, check_hiding, check_rollout
from slimlab.lessons.bodies import check_bone_lengths, check_fill, check_pairs, check_positions
from slimlab.lessons.embeddings import check_agreement, check_procrustes, check_shuffled
from slimlab.lessons.evaluation import check_across_subjects, check_average_precision, check_knn_votes, check_standardize
from slimlab.lessons.files import alike, check_carry, check_sides, check_trim, with_clips, with_copies, write_samples
from slimlab.lessons.frame import Lesson, begin
from slimlab.lessons.landscape import check_byol, check_centered, check_info_nce
from slimlab.lessons.losses import check_masked_loss, check_sinkhorn
from slimlab.lessons.masks import check_joint_tubes, check_stratified_ratios, check_tube_mask
from slimlab.lessons.own import own
from slimlab.lessons.own_slim import check_attend, check_block, check_glcl, check_prototype_logits
from slimlab.lessons.paper import check_encoder_sizes, check_optimism
from slimlab.lessons.quickstart import check_nearest_label, check_visible_neighbor, with_visible_neighbor
from slimlab.lessons.studies import check_chosen, check_sign_flips, check_subject_interval, finished_study
from slimlab.lessons.teacher import check_ema
from slimlab.lessons.tokens import check_block_flops, check_patchify, check_rotary
from slimlab.lessons.training import check_diagnosis, check_rank, check_schedule, riddle
from slimlab.lessons.views import check_bone_scaling, check_local_interval, check_mirror, released_scaling

__all__ = [
    "Lesson",
    "NotYet",
    "alike",
    "attempt",
    "begin",
    "check_across_subjects",
    "check_agreement",
    "check_attend",
    "check_attention",
    "check_average_precision",
    "check_block",
    "check_block_flops",
    "check_bone_lengths",
    "check_bone_scaling",
    "check_byol",
    "check_carry",
    "check_centered",
    "check_chosen",
    "check_diagnosis",
    "check_distance",
    "check_ema",
    "check_encoder_sizes",
    "check_fill",
    "check_glcl",
    "check_hiding",
    "check_info_nce",
    "check_joint_tubes",
    "check_knn_votes",
    "check_local_interval",
    "check_masked_loss",
    "check_mirror",
    "check_nearest_label",
    "check_optimism",
    "check_pairs",
    "check_patchify",
    "check_positions",
    "check_procrustes",
    "check_prototype_logits",
    "check_rank",
    "check_rollout",
    "check_rotary",
    "check_schedule",
    "check_shuffled",
    "check_sides",
    "check_sign_flips",
    "check_sinkhorn",
    "check_standardize",
    "check_stratified_ratios",
    "check_subject_interval",
    "check_trim",
    "check_tube_mask",
    "check_visible_neighbor",
    "expect",
    "expect_tensor",
    "finished_study",
    "own",
    "passed",
    "released_scaling",
    "riddle",
    "with_clips",
    "with_copies",
    "with_visible_neighbor",
    "write_samples",
]
