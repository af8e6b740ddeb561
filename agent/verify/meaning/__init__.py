"""What the records of a task mean, recomputed: its search, its examples, its trainings, its tables and its weights.

Each module asks the code that lived the task, or a formula, what must be recorded where the rest of the records are so.
"""
