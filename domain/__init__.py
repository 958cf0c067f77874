"""Rules as functions from values to values: no I/O, no clock, no random, no floats, no Temporal."""
