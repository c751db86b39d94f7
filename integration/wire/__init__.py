"""What leaves this machine: HTTP to receivers, e-mail, tokens."""
