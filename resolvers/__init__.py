"""How a field is answered, where reading an attribute of the row is not enough."""
