"""Everything that reads or writes the target database."""
