"""The HTTP server: `nanovec serve`.

options.py   what can be set
backend.py   connections, collections that were looked up, the embedded server
loads.py     first loads, which get their index afterwards
faults.py    errors as answers
gate.py      what every request goes through: logs, tokens, limits
requests.py  how bodies are read and answers are written
express.py   a short way to the routes that are asked most often
routes.py    this package's own API
chroma.py    Chroma's API, version 2
metrics.py   figures for Prometheus
serving.py   the application, and the process that serves it
"""

from .options import ServerOptions
from .serving import create_app, serve

__all__ = ["ServerOptions", "create_app", "serve"]
