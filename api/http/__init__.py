"""HTTP: the table of routes and all that every route shares. It knows no resource."""
