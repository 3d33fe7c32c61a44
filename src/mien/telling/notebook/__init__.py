"""What a notebook shows of results: the answer, a small table, what to do next."""
