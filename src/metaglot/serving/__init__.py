"""A server of many adapted tasks over one model, and the client that talks to it."""
