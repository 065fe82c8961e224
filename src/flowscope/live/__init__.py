"""The live stream: every viewer ends with the server's state, whatever the network did."""
