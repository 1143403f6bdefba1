"""Servers that others build, each as its own documentation shows, with the same decode and model.

Each runs in an environment of its own, made by `make bench-peers` from its `requirements.lock`.
What a folder's `server` imports of ours is `benchmarks.peers.model`, so that only the serving
differs. Every answer is `{"predictions": [{"label": ..., "probability": ...}, ...]}`.
"""
