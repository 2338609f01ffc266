"""Anytomy: Segment-Anything models made usable for biomedical images."""

__version__ = "0.1.0"
