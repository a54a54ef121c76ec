"""Why a replica does not serve, in plain words that say what to do."""
