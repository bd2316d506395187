"""Who reads a run, apart from who makes it: status, verification, report."""
