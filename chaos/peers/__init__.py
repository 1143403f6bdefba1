"""Other services under test, measured beside ours; each runs in an environment of its own.

Their programs import nothing of ours but `chaos.pictures` and `chaos.executions`.
"""
