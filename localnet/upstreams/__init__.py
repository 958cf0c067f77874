"""Local stand-ins for what the product asks on the internet: web search and language models, on one port.

``python -m localnet.upstreams --port N --seed S`` serves Serper's wire format (``POST /search``), OpenAI's
(``POST /v1/chat/completions``) and Hugging Face's (``POST /models/{name}``), and ``/control`` to change their minds.
"""

from localnet.upstreams.process import UpstreamsProcess
from localnet.upstreams.server import Upstreams

__all__ = ["Upstreams", "UpstreamsProcess"]
