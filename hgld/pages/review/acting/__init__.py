"""What a person asks for, made an event of the log, or refused in words."""
