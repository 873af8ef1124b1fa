"""What the comparisons with other projects share: shapes, set-up, timing in turns, the machine's limits, JSON rows.

Layer: bench. Knows no peer. Needs nothing but Python itself, because the set-up runs before anything is installed.
"""
