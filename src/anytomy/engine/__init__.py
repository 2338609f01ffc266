"""Running a model: exported graphs on the CPU, torch elsewhere; preprocessing; embedding cache."""
