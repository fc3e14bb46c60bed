"""Text in: readers, the token store, built-in data, fixed and random draws, and a look at a data set."""
