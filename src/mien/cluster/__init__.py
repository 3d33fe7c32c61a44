"""Workers on the machines of a Ray cluster, which take the place of this machine's processes: --cluster."""
