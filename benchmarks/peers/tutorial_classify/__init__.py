"""The design of tutorials that call `classify_image` in a view: a new model for each request."""
