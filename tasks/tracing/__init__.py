"""Traces of what a picture goes through, for those who collect them; off unless they are asked for.

`spans` says what is recorded, and everybody calls it; `recorder` alone knows OpenTelemetry, and is
imported where `OTEL_EXPORTER_OTLP_ENDPOINT` is set and nowhere else.
"""
