"""What several tests use: made studies, drawn sets, processes, servers."""
