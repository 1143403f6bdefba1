"""What a run shows of itself: the report for people, its numbers as JSON, TensorBoard summaries.

It arranges and draws what was measured elsewhere and decides nothing.
"""
