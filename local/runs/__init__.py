"""A run after its push: its record in the journal, its log, its error, its files."""
