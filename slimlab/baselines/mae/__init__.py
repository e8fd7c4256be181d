"""The control that SLiM argues against: a coordinate MAE of the MAMP family, in the same loop and under the same evaluation.

    run = mae.fit(train, mae.Config(minutes=5))
    evaluate.features(run.encoder, test)

MAMP: Mao et al., ICCV 2023 (arXiv 2308.07092); MAE: He et al. 2022 (arXiv 2111.06377). An encoder sees the tenth of the tokens
that is not masked, a decoder predicts the motion in the others and is thrown away afterwards; then the encoder takes every
token of a clip, 30 x 25, which is what its features cost.
"""

from slimlab.baselines.mae.network import MAE, Encoder, EncoderConfig, load_encoder, motion_target, save_encoder
from slimlab.baselines.mae.training import METHOD, PRESETS, Config, Run, Trainer, fit

__all__ = [
    "MAE",
    "METHOD",
    "PRESETS",
    "Config",
    "Encoder",
    "EncoderConfig",
    "Run",
    "Trainer",
    "fit",
    "load_encoder",
    "motion_target",
    "save_encoder",
]
