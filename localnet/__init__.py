"""The embedded stack: real servers on this machine, in a data directory, speaking their real wire formats.

``supervisor.py`` and ``process.py`` run processes; ``postgres.py``, ``temporal.py`` and ``evm.py`` know one server
each; ``evm_proxy.py`` makes a chain misbehave; ``running.py`` starts single servers for tests.
"""
