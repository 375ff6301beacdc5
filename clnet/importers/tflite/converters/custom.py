"""Custom operators that MediaPipe's models use."""
