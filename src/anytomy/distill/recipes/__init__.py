"""Ways to teach a student, each with its source; `registry.recipe` finds one by its name."""
