"""From pictures to a trained model: backbones, their features, the head on top, and fine-tuning.

What is learned is numbers and graphs; how good it is, `judging` says.
"""
