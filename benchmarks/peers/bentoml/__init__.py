"""BentoML: a service class in worker processes."""
