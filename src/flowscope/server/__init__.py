"""flowscope over HTTP and WebSocket."""
