"""Transformers as graphs of ops with shapes and formats."""

from archsim.models.config import TransformerConfig
from archsim.models.graph import Graph, Op, Tensor
from archsim.models.load import Model, load_model

__all__ = ["Graph", "Model", "Op", "Tensor", "TransformerConfig", "load_model"]
