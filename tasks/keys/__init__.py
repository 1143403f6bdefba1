"""API keys: who may ask for what, whose a task is, and where keys are kept."""
