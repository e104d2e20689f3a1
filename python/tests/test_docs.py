"""What the documents say in Python and for a shell runs, in order, in a directory of its own."""

import configparser
import os
import re
import shlex
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

TOP = Path(os.environ.get("NANOVEC_SRC") or Path(__file__).parents[2])


def blocks(file, language):
    return re.findall(rf"```{language}\n(.*?)```", (TOP / file).read_text(), re.DOTALL)


@pytest.mark.parametrize("file", ["README.md", "python/README.md", "docs/python.md"])
def test_python(file, directory, embedded, tmp_path):
    found = blocks(file, "python")
    assert found
    code = "\n".join(found).replace("postgresql://localhost/mydb", embedded)
    directory.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=directory, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONSAFEPATH": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_shell(directory, embedded):
    found = blocks("docs/cli.md", "sh")
    assert found
    directory.mkdir()
    import numpy as np

    np.save(directory / "vectors.npy", np.random.default_rng(1).normal(size=(100, 4)))
    (directory / "articles.jsonl").write_text(
        '{"id": "a1", "embedding": [1, 0, 0], "document": "About cats", "year": 2001}\n' * 2
    )
    script = "set -e\n" + "\n".join(found).replace(
        "postgresql://localhost/mydb", shlex.quote(embedded)
    )
    bin_ = Path(sys.executable).parent
    done = subprocess.run(
        ["sh", "-c", script], cwd=directory, capture_output=True, text=True, check=False,
        env=os.environ | {"PATH": f"{bin_}:{os.environ['PATH']}", "PYTHONSAFEPATH": "1", "HOME": str(directory)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


CHROMA_DIRECTORY = """
import chromadb
client = chromadb.PersistentClient("chroma_directory")
client.create_collection("old", embedding_function=None).add(ids=["a"], embeddings=[[1, 2]])
"""


@pytest.mark.parametrize("file", ["docs/server.md", "docs/chroma.md"])
def test_http(file, directory):
    """Both kinds of blocks, in order, with a server that the first one starts."""
    text = (TOP / file).read_text()
    found = re.findall(r"```(sh|python)\n(.*?)```", text, re.DOTALL)
    assert {language for language, _ in found} == {"sh", "python"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    script = ["set -e", "trap 'kill $!; wait $! || true' EXIT"]
    for language, block in found:
        script.append(block if language == "sh" else f"python3 - <<'END'\n{block}\nEND")
    directory.mkdir(mode=0o755)
    bin_ = Path(sys.executable).parent
    environment = {
        "PATH": f"{bin_}:{os.environ['PATH']}", "PYTHONSAFEPATH": "1", "HOME": str(directory),
        "NANOVEC_PORT": port,
    }  # fmt: skip
    if "chroma_directory" in text:
        subprocess.run([sys.executable, "-c", CHROMA_DIRECTORY], cwd=directory, check=True)
    done = subprocess.run(
        ["sh", "-c", "\n".join(script).replace("8000", port)], cwd=directory, capture_output=True, text=True, check=False,
        env=os.environ | environment, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("[['a']]", "cafe face", "['n1']") if "chroma" in file else ("r0", '"a1"'):
        assert said in done.stdout, done.stdout + done.stderr


def test_unit():
    """What systemd is to start is a command that there is."""
    text = (TOP / "docs/server.md").read_text()
    unit = configparser.ConfigParser(interpolation=None)
    lines = re.search(r"^    \[Unit\].*?^(?=\S)", text, re.DOTALL | re.MULTILINE)[0]
    unit.read_string(textwrap.dedent(lines))
    program, *arguments = unit["Service"]["ExecStart"].split()
    assert Path(program).name == "nanovec" and arguments[-1] == "serve"
    # the program is told to stop, and stops PostgreSQL itself
    assert unit["Service"]["KillMode"] == "mixed"
    command = [Path(sys.executable).parent / "nanovec", *arguments, "--help"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
