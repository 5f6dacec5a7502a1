-- Money: budgets, balances, reservations and what was spent.
SELECT;
