"""The two presets of pre-training: `paper`, the recipe of SLiM (arXiv 2603.10648, section 4.1 and the released settings), and
`tiny`, the same method sized for two CPU cores. What each setting means: `slimlab.pretrain.config.Config`.
"""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {
        "steps": 187_500,
        "batch_size": 768,
        "width": 256,
        "depth": 8,
        "heads": 8,
        "patch_frames": 8,
        "registers": 4,
        "init": "normal",
        "centring": "first_frame",
        "input_scale": 1.0,
        "stream": "joint",
        "global_frames": 64,
        "global_range": (0.5, 1.0),
        "local_views": ((32, 1, (0.35, 0.7)), (16, 2, (0.15, 0.4)), (8, 1, (0.05, 0.2))),
        "augment_probability": 0.5,
        "mirror": True,
        "bone_scale": (0.85, 1.15),
        "rotation": 0.3,
        "noise": 1.0,
        "masking": "semantic_tubes",
        "mask_ratio": (0.5, 0.9),
        "mask_globals": 0.5,
        "mask_locals": True,
        "targets": "sinkhorn",
        "prototypes": 65_536,
        "head_hidden": 2048,
        "head_bottleneck": 256,
        "student_temperature": 0.1,
        "teacher_temperature": (0.04, 0.07),
        "temperature_warmup": 30 / 150,
        "glcl_weight": 1.0,
        "mfm_weight": 1.0,
        "koleo_weight": 0.1,
        "base_lr": 2e-4,
        "min_lr": 1e-6,
        "patch_lr_factor": 0.2,
        "warmup": 20 / 150,
        "weight_decay": (0.04, 0.2),
        "gradient_clip": 3.0,
        "momentum": (0.994, 1.0),
        "frozen_prototypes": 1 / 150,
        "evaluations": 150,
        "snapshots": 10,
        "checkpoint_seconds": 600.0,
    }
}

# SLiM whole (GLCL, MFP, STM, SAA) where two CPU cores learn in minutes. Chosen on held-out training subjects of UTD-MHAD;
# the log is docs/small_scale.md. 3,129 to 3,343 steps, 5.8 wall minutes on 2 cores, gave kNN 0.808 +- 0.031 and probe
# 0.855 +- 0.020 on UTD-MHAD, odd -> even subjects (benchmarks/utd_table.py); 18,000 steps, half an hour of two idle cores,
# 0.860 and 0.893 (one seed, an earlier version, benchmarks/learning_curve.py).
PRESETS["tiny"] = PRESETS["paper"] | {
    "steps": 2000,
    "batch_size": 32,
    "width": 64,
    "depth": 3,
    "heads": 2,
    "patch_frames": 16,
    "init": "fan_in",
    "centring": "every_frame",
    "input_scale": 3.0,
    "global_frames": 32,
    "global_range": (0.8, 1.0),
    "local_views": ((16, 1, (0.4, 0.8)),),
    "mirror": False,
    "mask_locals": False,
    "prototypes": 128,
    "head_hidden": 256,
    "head_bottleneck": 64,
    "teacher_temperature": (0.02, 0.02),
    "mfm_weight": 0.25,
    "koleo_weight": 0.02,
    "base_lr": 4e-3 * 32**0.5,
    "min_lr": 1e-5,
    "patch_lr_factor": 1.0,
    "warmup": 0.05,
    "weight_decay": (0.04, 0.04),
    "momentum": (0.97, 1.0),
    "frozen_prototypes": 0.0,
    "evaluations": 10,
    "checkpoint_seconds": 30.0,
}
