"""Load from outside: it speaks HTTP and MQTT as anyone may, and knows nothing of the inside."""
