"""What a host is kept from, a measure a file. launch.py applies them; imports only what is cheap (see there)."""
