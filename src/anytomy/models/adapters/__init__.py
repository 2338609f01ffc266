"""Adapters that published models carry inside their image encoder."""
