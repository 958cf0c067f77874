"""A local stand-in for Polymarket: its Data API, CLOB, Gamma and market socket on one port, with a world of its own.

``python -m localnet.polymarket --port N --seed S`` serves ``/data``, ``/clob``, ``/gamma`` and ``/ws/market`` in the
wire formats and with the quirks of the real hosts, and ``/control`` to change the world or make it go wrong.
``chain.py`` puts the same deeds on a local Polygon.
"""
