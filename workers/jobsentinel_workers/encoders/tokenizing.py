"""Texts to token ids, safely from several threads.

Fast tokenizers carry state between calls and race when threads share one, so every thread gets a
tokenizer of its own, built from one serialised copy on the thread's first call.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from tokenizers import Encoding, Tokenizer

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.text import normalise
from jobsentinel_workers.encoders.sequence_model import EncodedText, TextInput

CHARS_A_TOKEN = 12
"""Text beyond so many characters a token is cut unread: a ten-megabyte text costs no more than a
long posting. English has four to five characters a token, so hardly a token is lost."""

MAX_QUERY_TOKENS = 64
MAX_TITLE_CHARS = 200
"""The first line of a text is its title, and this much of a longer one."""


class ThreadTokenizer:
    """Tokenises texts and pairs with one fast tokenizer a thread.

    In a pair the first text is cut to ``max_query_tokens``; the second gets what is left.
    """

    def __init__(
        self, serialised: str, *, max_tokens: int, max_query_tokens: int = MAX_QUERY_TOKENS
    ) -> None:
        """Take a tokenizer as the JSON of its ``tokenizer.json``."""
        self.serialised = serialised
        self.max_tokens = max_tokens
        self.max_query_tokens = min(max_query_tokens, max_tokens // 2)
        self._local = threading.local()

    def encode(self, inputs: Sequence[TextInput], *, titles: bool = False) -> list[EncodedText]:
        """Return ``inputs`` tokenised, in their order; with ``titles`` also where titles end.

        Raises:
            InvalidInput: a text is no string, or is empty once normalised.
        """
        if isinstance(inputs, str):
            raise InvalidInput("texts", "must be a sequence of texts, not one string")
        singles = [n for n, text in enumerate(inputs) if isinstance(text, str)]
        pairs = [n for n, text in enumerate(inputs) if not isinstance(text, str)]
        encoded = dict(zip(singles, self._encode_singles(inputs, singles, titles), strict=True))
        encoded.update(zip(pairs, self._encode_pairs(inputs, pairs), strict=True))
        return [encoded[n] for n in range(len(inputs))]

    def _encode_singles(
        self, inputs: Sequence[TextInput], positions: list[int], titles: bool
    ) -> list[EncodedText]:
        texts = [self._clean(inputs[n], f"texts.{n}", self.max_tokens) for n in positions]
        room = self.max_tokens - self._tokenizer.num_special_tokens_to_add(False)
        ends = self._title_ends(texts, room) if titles else [0] * len(texts)
        return [
            _to_encoded_text(self._tokenizer.post_process(body), end)
            for body, end in zip(self._encode_bodies(texts, room), ends, strict=True)
        ]

    def _title_ends(self, texts: list[str], room: int) -> list[int]:
        """Return how many tokens the first line takes, those before the text included.

        Tokenisers split at white space first, so that a line's tokens do not depend on the next.
        """
        lines = [text[:MAX_TITLE_CHARS].partition("\n")[0] for text in texts]
        bodies = self._encode_bodies(lines, room)
        marks = [self._tokenizer.post_process(body).special_tokens_mask for body in bodies]
        return [mask.index(0) + mask.count(0) if 0 in mask else len(mask) for mask in marks]

    def _encode_pairs(self, inputs: Sequence[TextInput], positions: list[int]) -> list[EncodedText]:
        for n in positions:
            _check_pair(inputs[n], n)
        firsts = [
            self._clean(inputs[n][0], f"texts.{n}.0", self.max_query_tokens) for n in positions
        ]
        seconds = [self._clean(inputs[n][1], f"texts.{n}.1", self.max_tokens) for n in positions]
        # A ranking repeats one query in all its pairs: tokenise each query once.
        unique = list(dict.fromkeys(firsts))
        queries = dict(zip(unique, self._encode_bodies(unique, self.max_query_tokens), strict=True))
        room = self.max_tokens - self._tokenizer.num_special_tokens_to_add(True)
        bodies = self._encode_bodies(seconds, room)
        return [
            self._join(queries[first], body, room)
            for first, body in zip(firsts, bodies, strict=True)
        ]

    def _join(self, query: Encoding, body: Encoding, room: int) -> EncodedText:
        body.truncate(max(1, room - len(query)))
        return _to_encoded_text(self._tokenizer.post_process(query, body))

    def _encode_bodies(self, texts: list[str], max_tokens: int) -> list[Encoding]:
        if not texts:
            return []
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        for encoding in encodings:
            encoding.truncate(max_tokens)
        return list(encodings)

    def _clean(self, text: object, field: str, max_tokens: int) -> str:
        if not isinstance(text, str):
            raise InvalidInput(field, f"must be text, not {type(text).__name__}")
        cleaned = normalise(text[: max_tokens * CHARS_A_TOKEN])
        if not cleaned:
            raise InvalidInput(field, "must not be empty after normalisation")
        return cleaned

    @property
    def _tokenizer(self) -> Tokenizer:
        tokenizer: Tokenizer | None = getattr(self._local, "tokenizer", None)
        if tokenizer is None:
            tokenizer = Tokenizer.from_str(self.serialised)
            # Truncation and padding are done here, by budget and by batch.
            tokenizer.no_truncation()
            tokenizer.no_padding()
            self._local.tokenizer = tokenizer
        return tokenizer


def _check_pair(pair: object, position: int) -> None:
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise InvalidInput(
            f"texts.{position}", f"must be text or a pair of texts, not {type(pair).__name__}"
        )


def _to_encoded_text(encoding: Encoding, title_end: int = 0) -> EncodedText:
    types = np.asarray(encoding.type_ids, dtype=np.int32)
    return EncodedText(
        input_ids=np.asarray(encoding.ids, dtype=np.int32),
        token_type_ids=types if types.any() else None,
        title_end=title_end,
    )
