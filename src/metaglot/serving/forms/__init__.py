"""The bodies of requests and answers, which server and client share; imports neither of them, and no torch."""
