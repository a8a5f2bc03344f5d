"""Training documents as tokens, packed into sequences that each begin with a document."""

import json
from pathlib import Path
from random import Random

import numpy as np
import torch
from tokenizers import Tokenizer

from corpus import END, text_of

# Loss weights. Answers of few tokens count most; what a user asks cannot be foreseen.
ANSWER, TEXT, ASKED = 3.0, 1.0, 0.3
SHORT = 16
# Few documents come without <s>, so that the model does not hang on it.
WITHOUT_BOS = 0.1


def weights_of(ids: list[int], assistant: int, end: int) -> list[float]:
    """The weight of each token as a target."""
    if assistant not in ids:
        return [TEXT] * len(ids)
    weights = [ASKED] * len(ids)
    at = 0
    while assistant in ids[at:]:
        start = ids.index(assistant, at) + 1
        at = ids.index(end, start) + 1
        weights[start:at] = [ANSWER if at - start <= SHORT else TEXT] * (at - start)
    weights[-1] = TEXT
    return weights


class Documents:
    """All documents, one after the other: ids, weights, and where each begins."""

    def __init__(self, file: Path, tokenizer: Tokenizer, seed: int) -> None:
        r = Random(seed)
        assistant, end = tokenizer.token_to_id("<|assistant|>"), tokenizer.token_to_id("<|end|>")
        bos = tokenizer.token_to_id("<s>")
        with file.open() as lines:
            texts = [text_of(json.loads(line)) + END for line in lines]
        ids: list[int] = []
        weights: list[float] = []
        starts: list[int] = []
        for at in range(0, len(texts), 10_000):
            for encoding in tokenizer.encode_batch(texts[at : at + 10_000], add_special_tokens=False):
                own = weights_of(encoding.ids, assistant, end)
                starts.append(len(ids))
                if r.random() >= WITHOUT_BOS:
                    ids.append(bos)
                    weights.append(0.0)
                ids += encoding.ids
                weights += own
        self.ids = np.array(ids, dtype=np.int64)
        self.weights = np.array(weights, dtype=np.float32)
        self.starts = np.array(starts)
        self.number = np.zeros(len(ids), dtype=np.int64)
        self.number[self.starts] = 1
        self.number = self.number.cumsum()

    def batch(self, at: int, rows: int, length: int) -> tuple[int, tuple[torch.Tensor, ...]]:
        """`rows` sequences from document `at` on (round and round), and the document after them."""
        picks = []
        for _ in range(rows):
            start = self.starts[at % len(self.starts)]
            if start + length + 1 > len(self.ids):
                at, start = 0, 0
            picks.append(np.arange(start, start + length + 1))
            # The next sequence begins with the first document that did not begin in this one.
            at = int(np.searchsorted(self.starts, start + length))
        where = np.stack(picks)
        ids, weights, number = (torch.from_numpy(x[where]) for x in (self.ids, self.weights, self.number))
        return at, (ids, weights, number)
