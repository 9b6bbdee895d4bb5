"""The desk: reconcile, dedupe, then act, through the guarded broker and the journal."""
