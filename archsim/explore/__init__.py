"""Many simulations: sweeps over a grid, stored as they finish, and what is best among them."""
