"""How good a model is: numbers with intervals from its answers to test pictures, and the gate.

It takes answers as they are and knows nothing of how they were learned.
"""
