"""Random input for everything that reads what others wrote.

SQL, journal lines, specs, profiles, archives, files of a results folder, label tables, reviews.

`python -m tests.fuzz --inputs N --seed S [--only KIND]` runs it. Each input follows from the seed,
the kind and its number.
"""
