"""Whole runs of the orchestrator in one thread, from a seed.

The machine, the driver, recovery and the in-memory store are the product's own; the event loop, the clock and the disk are
played, so that a seed decides everything: what is run, how long a commit and a handler take, when the process dies and when
the disk refuses.

loop.py      an event loop whose time jumps to what is due next
disk.py      a store whose commits take time, are refused, or are durable without anybody hearing of it
flows.py     random workflows, and nodes with a logged effect
world.py     one seed: lives and deaths, and the oracle's judgement
__main__.py  many seeds
"""
