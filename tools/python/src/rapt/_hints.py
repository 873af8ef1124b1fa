"""What type checkers read and Python does not: the name alone makes them take it for true. Layer: below all.

Not typing.TYPE_CHECKING, because importing typing, and re and enum with it, takes as long as importing the rest of rapt.
"""

TYPE_CHECKING = False
