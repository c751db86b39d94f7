"""What leaves this machine: HTTP to receivers, e-mail, tokens.

All HTTP whose address a user can type, tokens included, goes through one transport, which refuses private addresses where
its sockets open. The mail server and the proxy on the way out are the operator's to name and not checked; neither is the
Token Metrics API, whose client lives elsewhere.
"""
