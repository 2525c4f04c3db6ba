"""Orders: what a till sells, from its opening to the milk in a hand or the money back."""
