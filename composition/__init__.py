"""The wiring shared by worker.py, server.py and cli/, one module per queue; reads settings (decision 0012).

Nothing is imported here: a process loads the modules of what it serves, so only the signer loads the code of keys.
"""
