"""Files written whole, folders that leave nothing behind, and signals that end a command at once."""
