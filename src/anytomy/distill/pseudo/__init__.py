"""Pseudo-labels of a teacher, how far each is to be trusted, and why."""
