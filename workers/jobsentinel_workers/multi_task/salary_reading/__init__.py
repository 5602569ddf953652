"""How a stated salary is read: its figures, what they are joined to, and what speaks for them."""
