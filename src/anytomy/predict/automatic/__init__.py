"""Automatic masks: every object of a picture, without a prompt from a person."""
