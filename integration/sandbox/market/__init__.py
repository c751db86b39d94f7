"""Markets: tokens and their daily prices, from a seeded model or from CSV files."""
