"""What is kept: tables, the queries on them, and the migrations that make them."""
