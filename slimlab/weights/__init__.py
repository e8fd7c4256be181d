"""Encoder weights: load, save, move between bodies, and the encoders that ship with slimlab."""

from slimlab.weights.exporting import export_onnx, export_program
from slimlab.weights.loading import BODIES, SHIPPED, load_encoder, on_body, pretrained, pretrained_record, save_encoder, shipped
from slimlab.weights.onnx_encoder import OnnxEncoder, load_onnx

__all__ = [
    "BODIES",
    "SHIPPED",
    "OnnxEncoder",
    "export_onnx",
    "export_program",
    "load_encoder",
    "load_onnx",
    "on_body",
    "pretrained",
    "pretrained_record",
    "save_encoder",
    "shipped",
]
