"""Photos: reading, detecting, aligning, judging."""
