"""A run after it was pushed: its record in the journal, its log, its error, its files."""
