"""What processes do outside: classes that receive their collaborators; each method is one transaction or one effect.

Every docstring says `Effect:` (what changes outside Temporal) and `Again:` (why a retry is safe).
"""
