"""Encoders: loading, precision, tokenising, batches, embeddings."""

from __future__ import annotations

from jobsentinel_workers.encoders.batching import plan_batches
from jobsentinel_workers.encoders.loading import Backbone, load_backbone, packaged_model_path
from jobsentinel_workers.encoders.padding import PaddedBatch, pad_batch
from jobsentinel_workers.encoders.pooling import (
    Pooler,
    PoolingChoice,
    TokenStates,
    mean_pool,
    to_unit_length,
)
from jobsentinel_workers.encoders.precision import Precision, choose_device, choose_precision
from jobsentinel_workers.encoders.query_adapter import QueryAdapter
from jobsentinel_workers.encoders.sequence_model import (
    EncodedText,
    FloatArray,
    Runner,
    SequenceModel,
    TextInput,
    run_directly,
)
from jobsentinel_workers.encoders.text_encoder import TextEncoder
from jobsentinel_workers.encoders.tokenizing import ThreadTokenizer

__all__ = [
    "Backbone",
    "EncodedText",
    "FloatArray",
    "PaddedBatch",
    "Pooler",
    "PoolingChoice",
    "Precision",
    "QueryAdapter",
    "Runner",
    "SequenceModel",
    "TextEncoder",
    "TextInput",
    "ThreadTokenizer",
    "TokenStates",
    "choose_device",
    "choose_precision",
    "load_backbone",
    "mean_pool",
    "packaged_model_path",
    "pad_batch",
    "plan_batches",
    "run_directly",
    "to_unit_length",
]
