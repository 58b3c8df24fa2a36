"""The terminal: lines, tables, questions, logs and streams. The edge between the library and its user."""
