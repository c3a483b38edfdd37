"""Whether data can be learned from, found out before anything is trained."""
