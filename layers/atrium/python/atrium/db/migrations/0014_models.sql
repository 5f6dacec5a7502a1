-- Models: what a tenant changes of the catalogue, and its own provider keys.
SELECT;
