"""What was done, for people (`text`) and for machines (`document`). Pure: values in, text out; nothing is printed."""
