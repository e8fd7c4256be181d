"""Encoder weights: load, save, move between bodies, and the encoders that ship with slimlab."""

from slimlab.weights.loading import BODIES, SHIPPED, load_encoder, on_body, pretrained, pretrained_record, save_encoder, shipped

__all__ = ["BODIES", "SHIPPED", "load_encoder", "on_body", "pretrained", "pretrained_record", "save_encoder", "shipped"]
