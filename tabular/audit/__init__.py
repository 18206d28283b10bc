"""`make verify`: every claim checked on exact games, and its report."""
