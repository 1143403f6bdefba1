"""Why a model gave a label: what in a picture it rests on, and whether that map can be trusted.

Only the worker of explanations and tools use it; nothing that serves plain answers does.
"""
