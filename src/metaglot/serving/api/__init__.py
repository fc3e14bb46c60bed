"""HTTP: routers by resource, one form of errors, and the guard that every request passes."""
