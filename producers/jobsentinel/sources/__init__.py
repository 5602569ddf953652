"""Where postings come from: rows of any shape on one side, `Posting` on the other."""
