"""Tests, one folder per package of `src/anytomy`."""
