"""One file a question; `checks.py` names them in the order in which they are put."""
