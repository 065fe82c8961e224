"""The engine, killed and restarted."""
