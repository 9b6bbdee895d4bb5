"""The intent journal: what was decided, sent, heard and filled, written before and whatever happens."""
