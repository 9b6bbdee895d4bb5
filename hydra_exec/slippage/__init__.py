"""What fills have cost against what was expected, and what is learned from the difference."""
