"""Hostile pictures: what strangers may send is sent through header check and decoding, and counted.

`python -m chaos.hostile` (or `make fuzz`) does it all; `docs/hostile-pictures.md` has the last
counts, and what each of them means. Everything happens in child processes, as it does in a worker.
"""
