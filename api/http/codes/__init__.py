"""Problem codes by subject, each once; `api.http.catalogue` joins them."""
