"""Tests of the values that everything speaks."""
