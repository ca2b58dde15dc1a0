"""The days that somebody may have meant."""

from datetime import date

# A date outside of these is a slip of the keyboard; PostgreSQL would take it, and the first and last that Python knows
# for infinity.
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)
