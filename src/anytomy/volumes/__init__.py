"""Carrying a 2D model into the third dimension: one strategy per file."""
