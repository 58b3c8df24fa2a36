"""Model files that anybody may have written, read and limited before a framework sees them."""
