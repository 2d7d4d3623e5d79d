"""Sentences as vectors, from the weights that come inside the wordllama wheel. No network, no GPU."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import wordllama
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
_CHARACTERS_MAX = 600


@cache
def _model() -> Any:
    folder = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=folder, disable_download=True)


def load() -> None:
    """Read the weights now (0.2 s) rather than at the first use."""
    _model()


def embed(texts: list[str]) -> Vectors:
    """One unit vector a text; a text without any known sign is the zero vector."""
    if not texts:
        return np.zeros((0, 256), dtype=np.float32)
    vectors: Vectors = _model().embed([text[:_CHARACTERS_MAX] or " " for text in texts])
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return result
