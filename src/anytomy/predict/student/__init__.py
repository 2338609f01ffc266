"""Running a student: its grid, its windows, its masks, and all of it as one graph."""
