"""LitServe: FastAPI before worker processes that predict in batches."""
