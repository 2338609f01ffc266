"""Prompts to masks: one picture, many objects, zoom, overlaps; `Model` is the front door."""
