"""Local stand-ins for what the product asks on the internet: web search, language models, IPFS, Arweave, on one port.

``python -m localnet.upstreams --port N --seed S`` serves Serper's wire format (``POST /search``), OpenAI's
(``POST /v1/chat/completions``) and Hugging Face's (``POST /models/{name}``), Kubo's and Pinata's with a gateway
(``ipfs.py``), an Arweave bundler's with a gateway (``arweave.py``), and ``/control`` to change their minds. What is
pinned or bundled is kept in ``--files``, everything else is not.
"""

from localnet.upstreams.process import UpstreamsProcess
from localnet.upstreams.server import Upstreams

__all__ = ["Upstreams", "UpstreamsProcess"]
